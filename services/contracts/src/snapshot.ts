import type { NetworkClass } from './egress.ts';

/** What the scheduler holds at one moment: for `hob stats`, `hob ls` and the metrics. */
export interface SchedulerSnapshot {
  readonly pools: readonly PoolSnapshot[];
  /** Undefined while the host's memory cannot be read. */
  readonly memory?: MemorySnapshot | undefined;
  readonly functions: readonly FunctionSnapshot[];
  readonly zygotes: readonly {
    readonly runtime: string;
    readonly memoryMb: number;
    readonly pid: number;
    readonly restarts: number;
  }[];
}

/** Parked containers of one runtime, memory class and network class. */
export interface PoolSnapshot {
  readonly runtime: string;
  readonly memoryMb: number;
  readonly network: NetworkClass;
  readonly creating: number;
  readonly parked: number;
  /** How many parked ones are aimed at: never fewer than `min`, as far as there is memory, and never more than `max`. */
  readonly target: number;
  readonly min: number;
  readonly max: number;
  /** Claims a second, in the last tenth of the window. */
  readonly claimsPerSecondShort: number;
  /** Claims a second, in all of it. */
  readonly claimsPerSecondLong: number;
  /** The most claims of the window that came within the time that one replacement takes. */
  readonly burst: number;
  /** Making one container, ms: the median of the last ones. */
  readonly createMs: number;
  /** Pause between a claim and making the replacement, ms. */
  readonly refillDelayMs: number;
  /** How many are made at the same time. */
  readonly parallel: number;
  /** Memory of one parked container, bytes. */
  readonly containerBytes: number;
}

/** The host's memory, as it bounds the pools. */
export interface MemorySnapshot {
  /** Of the host, or the limit of the cgroups that hob is in. */
  readonly totalBytes: number;
  /** What could be had without swapping: free, or cached files. */
  readonly availableBytes: number;
  /** What parked containers take. */
  readonly parkedBytes: number;
  /** How much of the last ten seconds something waited for memory, percent; undefined where the kernel does not tell. */
  readonly pressurePercent: number | undefined;
  /** How much of the memory may be in use, by parked containers and everything else, percent: a setting. */
  readonly sharePercent: number;
  /** The pressure at which no parked container is kept, percent: a setting. */
  readonly pressurePercentMax: number;
  /** What parked containers may take. */
  readonly budgetBytes: number;
}

/** When a version is kept loaded, counted from the end of its function's last call. */
export interface KeepAliveSnapshot {
  /** When a container is loaded for the next call, ms; 0: the idle ones are kept until then. */
  readonly preloadAfterMs: number;
  /** How long a container is then kept, ms. */
  readonly keepAliveMs: number;
  /** It follows from the function's calls, and not from a setting. */
  readonly isLearned: boolean;
}

/** What a container that was loaded in advance was good for: a call came to it, none did, or it could not be loaded. */
export type PreloadOutcome = 'useful' | 'wasted' | 'failed';

/** Containers and waiting calls of one version. */
export interface FunctionSnapshot {
  readonly function: string;
  readonly version: number;
  readonly loading: number;
  readonly idle: number;
  readonly busy: number;
  /** Calls that wait for a lease. */
  readonly waiting: number;
  /** CPU time of living containers, seconds. */
  readonly cpuSeconds: number;
  /** Memory charged to living containers, bytes. */
  readonly memoryBytes: number;
  readonly keepAlive: KeepAliveSnapshot;
}
