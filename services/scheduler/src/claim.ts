import type { FunctionVersion } from '@hob/contracts';
import { claimFrames } from './bundle-code.ts';
import type { Container } from './container.ts';
import type { FunctionOwner } from './container-roles.ts';
import type { ContainerSource } from './container-source.ts';
import type { GroupServices } from './group-services.ts';

/**
 * Makes a container of the pool, or a new one, the version's.
 *
 * @returns what makes the frames that it is to be sent, with the secrets as they are when it is called.
 * @throws what keeps it from that; the container is then to be ended.
 */
export async function claim(
  container: Container,
  version: FunctionVersion,
  owner: FunctionOwner,
  services: Pick<GroupServices, 'code' | 'caches' | 'secrets'> & { readonly source: ContainerSource },
): Promise<() => Buffer[]> {
  const { code, caches, secrets, source } = services;
  const start = container.state === 'parked' ? 'pool' : 'cold';
  const loading = Promise.all([code.load(version), caches.find(version)]);
  // While it is forked. What is wrong with the code is told when the container is there: it is the version's then.
  loading.catch(() => undefined);
  if (start === 'cold') await source.fork(container);
  container.claim(version, owner, start);
  const [[bytes, cache]] = await Promise.all([loading, container.prepare(version)]);
  return () => claimFrames(version, { code: bytes, cache }, secrets.env(version));
}
