import type { ErrorCode } from './errors.ts';

/** Where the container of an invocation came from: it held the code already, or was claimed from the pool, or forked for it. */
export type StartKind = 'warm' | 'pool' | 'cold';

/** Why a container died. Only after the first two does nothing look wrong with the function. */
export type DeathCause =
  | 'reclaimed'
  | 'replaced'
  | 'timeout'
  | 'cpu-budget'
  | 'oom'
  | 'pids'
  | 'syscall'
  | 'response-too-large'
  | 'crash'
  | 'cancelled'
  | 'shutdown';

/** How an invocation ended: its response was complete, or the error's code. */
export type Outcome = 'ok' | ErrorCode;

/** The account of one invocation. Times are ms with fractions; 0 where a step was not needed. */
export interface Receipt {
  readonly invocationId: string;
  readonly function: string;
  readonly version: number;
  readonly start: StartKind;
  /** Waiting for a lease, without `createMs`. */
  readonly queueMs: number;
  /** Forking a container. */
  readonly createMs: number;
  /** Letting the processes of an idle container go on that had been stopped. */
  readonly thawMs: number;
  /** Claiming and loading the code. */
  readonly loadMs: number;
  /** From the call reaching the container to the end of the response. */
  readonly runMs: number;
  /**
   * CPU time of the container during the call, its load included, by the kernel's account. With a concurrency above 1 the
   * calls of a container share its account: each is told what all of them used.
   */
  readonly cpuMs: number;
  /**
   * The most memory that was charged to the container during the call, give or take a megabyte. Where the kernel cannot
   * start the count anew (cgroup v2 before Linux 6.12), the most since the container was forked.
   */
  readonly memoryPeakBytes: number;
  /** How long the container has existed. */
  readonly containerAgeMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly outcome: Outcome;
  /** Set when the invocation ended its container. */
  readonly cause?: DeathCause;
}
