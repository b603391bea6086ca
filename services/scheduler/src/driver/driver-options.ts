import type { ContainerProgram } from '@hob/native';
import { egressDefaults, type EgressOptions } from './network/egress-options.ts';

/** What the driver needs to know of this installation. Paths are absolute. */
export interface DriverOptions {
  /** Folder of the runtime's root filesystem, with Node at /usr/local/bin/node. */
  readonly root: string;
  /** Names this hob's cgroups: the same for each run on the same data folder. 1 to 64 of a-z, 0-9, -. */
  readonly instance: string;
  /** Folder of the bundles that containers may get; it need not be there yet. */
  readonly bundles: string;
  /** libhob.so; another one for the fault sweep and the benchmark. */
  readonly library: string;
  /** What such a library is told: the step to fail, or the file to note times in; '' for nothing. */
  readonly probe: string;
  /** How long a zygote may take to boot, and a container to be parked, ms. */
  readonly startTimeoutMs: number;
  /** Processes and threads that a container may have. */
  readonly pidsMax: number;
  /** Size of /tmp, bytes, charged to the container's memory; and how many files fit. */
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  /** Size of /dev/shm, bytes, charged to the container's memory. */
  readonly shmBytes: number;
  /** Descriptors that a process in a container may have open. */
  readonly nofileMax: number;
  /** Size of the largest file that may be written, bytes. */
  readonly fileBytesMax: number;
  /**
   * Runtimes that are programs of the root filesystem, executed rather than forked, by name. A program speaks frames on
   * descriptor 3, PARKED first.
   */
  readonly programs: Readonly<Record<string, ContainerProgram>>;
  /** First of the range of host uids for containers, and how many there are. */
  readonly hostUidFirst: number;
  readonly hostUids: number;
  /** Who reads containers' accounts, and may start to look for the most memory anew. */
  readonly accountUid: number;
  /** The network of containers that have one. */
  readonly egress: EgressOptions;
}

const MiB = 1024 * 1024;

export const driverDefaults = {
  probe: '',
  startTimeoutMs: 30_000,
  pidsMax: 128,
  tmpBytes: 64 * MiB,
  tmpInodes: 16_384,
  shmBytes: 8 * MiB,
  nofileMax: 1024,
  fileBytesMax: 1024 * MiB,
  programs: {},
  hostUidFirst: 2_000_000,
  hostUids: 60_000,
  accountUid: 0,
  egress: egressDefaults,
} as const satisfies Partial<DriverOptions>;

/** What a driver tells of its zygotes. Methods must not throw. */
export interface DriverEvents {
  /** A zygote is booted in place of one that died. */
  zygoteRestarted?(memoryClassMb: number): void;
  /** `zygotes()` gives something else from now on. */
  zygotesChanged?(): void;
}
