import type { NetworkClass } from './egress.ts';

/** What the scheduler holds at one moment: for `hob stats`, `hob ls` and the metrics. */
export interface SchedulerSnapshot {
  readonly pools: readonly PoolSnapshot[];
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
  readonly min: number;
  readonly max: number;
}

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
}
