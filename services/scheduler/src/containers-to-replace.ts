import type { FunctionVersion, Succession } from '@hob/contracts';
import type { Container } from './container.ts';

/**
 * How many containers of a version serve the calls that it takes: those that run, and those that ended so lately that their
 * containers were not frozen yet. At least one.
 */
export function containersToReplace(
  { name, config }: FunctionVersion,
  { versions, share }: Succession,
  containers: Iterable<Pick<Container, 'version' | 'state' | 'callsRunning'>>,
): number {
  let calls = 0;
  for (const { version, state, callsRunning } of containers) {
    if (version?.name !== name || !versions.includes(version.version)) continue;
    if (callsRunning > 0 || state === 'idle') calls += Math.max(callsRunning, 1);
  }
  return Math.max(Math.min(Math.ceil((share * calls) / config.concurrency), config.maxContainers), 1);
}
