import { fail } from '@hob/contracts';

/** See `Container`. */
export type ContainerState = 'creating' | 'parked' | 'compiling' | 'loading' | 'idle' | 'frozen' | 'busy' | 'dead';

const next: Readonly<Record<ContainerState, ReadonlySet<ContainerState>>> = {
  creating: new Set(['parked', 'dead']),
  parked: new Set(['compiling', 'loading', 'dead']),
  compiling: new Set(['dead']),
  loading: new Set(['idle', 'busy', 'dead']),
  idle: new Set(['frozen', 'busy', 'dead']),
  frozen: new Set(['busy', 'dead']),
  busy: new Set(['idle', 'dead']),
  dead: new Set(),
};

/** @throws ERR_INTERNAL when the one state does not follow the other: a mistake of hob's own. */
export function checkTransition(from: ContainerState, to: ContainerState): void {
  if (next[from].has(to)) return;
  throw fail('ERR_INTERNAL', [], { cause: new Error(`a container that is ${from} cannot be ${to}`) });
}
