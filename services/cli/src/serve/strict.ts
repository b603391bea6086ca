import { fail } from '@hob/contracts';
import { systemPath, thisHost } from '../doctor/finding.ts';
import { probeIsolation } from '../doctor/isolation/probe.ts';
import { type Environment, variable } from '../environment.ts';

/**
 * Refuses a host that does not hold a line of the isolation checklist. It makes containers to find out, and removes them.
 *
 * @param rootfs the root filesystem of containers.
 * @throws ERR_SERVE_STRICT with the lines that are missing; ERR_NATIVE_UNSUPPORTED, … when no container can be made
 */
export async function requireIsolation(env: Environment, rootfs: string): Promise<void> {
  const lines = await probeIsolation(thisHost(variable(env, 'PATH') ?? systemPath), rootfs);
  const missing = lines.filter(({ state }) => state === 'missing');
  if (missing.length === 0) return;
  throw fail('ERR_SERVE_STRICT', [missing.map(({ line, title, found }) => `${line} ${title}: ${found}`).join('\n')]);
}
