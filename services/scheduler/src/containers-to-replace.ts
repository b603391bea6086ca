import type { FunctionVersion } from '@hob/contracts';
import type { Container } from './container.ts';

/**
 * How many containers of a version do the work of those of the function's busiest other one: of calls that run, and of calls
 * that ended so lately that their containers were not frozen yet.
 */
export function containersToReplace(
  { name, version, config }: FunctionVersion,
  containers: Iterable<Pick<Container, 'version' | 'state' | 'callsRunning'>>,
): number {
  const calls = new Map<number, number>();
  for (const { version: of, state, callsRunning } of containers) {
    if (of?.name !== name || of.version === version || (callsRunning === 0 && state !== 'idle')) continue;
    calls.set(of.version, (calls.get(of.version) ?? 0) + Math.max(callsRunning, 1));
  }
  const most = Math.max(1, ...calls.values());
  return Math.min(Math.ceil(most / config.concurrency), config.maxContainers);
}
