import type { FunctionVersion } from '@hob/contracts';
import type { SharedBytes } from './bundle-code.ts';
import type { Container } from './container.ts';
import type { FunctionOwner } from './container-roles.ts';
import type { GroupServices } from './group-services.ts';

/** What a container is sent to load a version. */
export interface LoadBytes {
  readonly code: SharedBytes;
  readonly cache: SharedBytes | undefined;
}

/**
 * Makes a container of the pool, or a new one, the version's, and gets what it is to load.
 *
 * @throws what keeps it from that; the container is then to be ended.
 */
export async function claim(
  container: Container,
  version: FunctionVersion,
  owner: FunctionOwner,
  { code, caches }: Pick<GroupServices, 'code' | 'caches'>,
): Promise<LoadBytes> {
  const start = container.state === 'parked' ? 'pool' : 'cold';
  if (start === 'cold') await container.create();
  container.claim(version, owner, start);
  const [bytes, cache] = await Promise.all([
    code.load(version.digest),
    caches.find(version),
    container.prepare(version),
  ]);
  return { code: bytes, cache };
}
