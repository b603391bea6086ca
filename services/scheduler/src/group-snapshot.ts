import type { FunctionSnapshot, FunctionVersion } from '@hob/contracts';
import type { Container } from './container.ts';
import type { ContainerState } from './container-state.ts';

/** The containers of a version at this moment. @param waiting how many calls wait for a container. */
export async function groupSnapshot(
  { name, version }: FunctionVersion,
  containers: Iterable<Container>,
  waiting: number,
): Promise<Omit<FunctionSnapshot, 'keepAlive'>> {
  const all = [...containers];
  const count = (...states: ContainerState[]): number => all.filter(({ state }) => states.includes(state)).length;
  const counts = {
    loading: count('creating', 'parked', 'loading'),
    idle: count('idle', 'frozen'),
    busy: count('busy'),
  };
  const usages = await Promise.all(all.map((container) => container.meter.usage()));
  return {
    function: name,
    version,
    ...counts,
    waiting,
    cpuSeconds: usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0),
    memoryBytes: usages.reduce((sum, usage) => sum + usage.memoryBytes, 0),
  };
}
