import type { FunctionSnapshot, SchedulerSnapshot } from '@hob/contracts';
import { humanBytes, table } from '../terminal.ts';
import type { CallRate } from './call-rates.ts';

/** A version and what it does. */
export interface BusyFunction extends FunctionSnapshot {
  /** Undefined while it is not known. */
  readonly rate: CallRate | undefined;
}

/** What `hob top` shows. */
export interface TopState {
  readonly pools: SchedulerSnapshot['pools'];
  readonly functions: readonly BusyFunction[];
}

/** The tables of `hob top`: functions with the most calls first. */
export function topView({ pools, functions }: TopState): string {
  const poolRows = pools.map((pool) => [
    pool.runtime,
    `${pool.memoryMb} MB`,
    pool.network,
    ...[pool.creating, pool.parked, pool.target].map(String),
    pool.claimsPerSecondShort.toFixed(1),
  ]);
  const functionRows = functions
    .toSorted(byLoad)
    .map((each) => [
      `${each.function}@${each.version}`,
      ...[each.rate?.calls, each.rate?.failed].map((rate) => rate?.toFixed(1) ?? '-'),
      ...[each.busy, each.idle, each.loading, each.waiting].map(String),
      humanBytes(each.memoryBytes),
    ]);
  return [
    table(['POOL', 'MEMORY', 'NETWORK', 'CREATING', 'PARKED', 'TARGET', 'CLAIMS/S'], poolRows),
    table(['FUNCTION', 'CALLS/S', 'FAILED/S', 'BUSY', 'IDLE', 'LOADING', 'WAITING', 'MEMORY'], functionRows),
  ].join('\n\n');
}

function byLoad(a: BusyFunction, b: BusyFunction): number {
  const [callsA, callsB] = [a.rate?.calls ?? 0, b.rate?.calls ?? 0];
  return callsB - callsA || a.function.localeCompare(b.function) || b.version - a.version;
}
