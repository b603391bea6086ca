import { isDeepStrictEqual } from 'node:util';
import type { EgressPolicy, Frame, FunctionConfig, HobError, NetworkClass, SystemCallRules } from '@hob/contracts';

/** What a container is before it has a function. Containers of one kind are alike; parked ones are kept by kind. */
export interface ContainerKind {
  readonly runtime: string;
  /** One of `memoryClassesMb`; it is also the memory limit until `setLimits`. */
  readonly memoryMb: number;
  readonly network: NetworkClass;
}

/** Why something did not leave a container. `name` and `rebinding` are about DNS, the rest about packets. */
export const denialReasons = [
  'not-listed',
  'address',
  'host',
  'neighbour',
  'protocol',
  'spoofed',
  'connections',
  'name',
  'rebinding',
] as const;

/** Something that a function tried to reach and did not. */
export interface EgressDenial {
  readonly reason: (typeof denialReasons)[number];
  /** `tcp 10.0.0.5:5432`, or `name db.example.com`. */
  readonly target: string;
  /** How often within a fraction of a second. */
  readonly count: number;
}

/** What became of functions' DNS questions. */
export const dnsOutcomes = ['answered', 'denied', 'failed'] as const;
export interface DnsTally {
  readonly outcome: (typeof dnsOutcomes)[number];
  /** How often within a fraction of a second. */
  readonly count: number;
}

/** What a container of class `egress` tells of its network, since `setEgress`. Implementations must not throw. */
export interface NetworkEvents {
  denied?(denial: EgressDenial): void;
  resolved?(tally: DnsTally): void;
}

/** Reads and writes on each block device in a second. */
export type IoLimits = NonNullable<FunctionConfig['io']>;

/** All that the kernel bounds of a container. It is plain data. */
export interface ContainerLimits {
  readonly memoryMb: number;
  /** CPU bandwidth in cores. */
  readonly cpu: number;
  /** Its part of the CPU time beside other containers while there is not enough for all: 100 is usual. */
  readonly cpuWeight: number;
  /** Processes and threads. */
  readonly pids: number;
  /** Descriptors of each process. */
  readonly nofile: number;
  /** Size of /tmp, and how many files fit. */
  readonly tmpMb: number;
  readonly tmpFiles: number;
  /** Undefined: no limit. */
  readonly io: IoLimits | undefined;
}

/** Whether nothing would change from one to the other. What came as JSON has no `io` where there is no limit. */
export function areSame(some: ContainerLimits, others: ContainerLimits): boolean {
  return isDeepStrictEqual({ ...some, io: some.io }, { ...others, io: others.io });
}

/** A limit that a container has run into, though its first process may go on. */
export type Breach = 'oom' | 'pids';

/** How a container's first process ended, read after everything of the container is gone. */
export interface ContainerExit {
  /** Exit code, or undefined when a signal ended it. */
  readonly code: number | undefined;
  /** Name of the signal, such as `SIGKILL`, or undefined. */
  readonly signal: string | undefined;
  /** The kernel killed something in it for memory, or V8 gave up for want of heap. */
  readonly oomKilled: boolean;
  /** A fork was refused at the limit of processes. */
  readonly pidsDenied: boolean;
  /** CPU time of all its processes, seconds. */
  readonly cpuSeconds: number;
  /** Name of the system call that it may not make, made, and was ended for. */
  readonly forbiddenCall?: string;
  /** Names of the system calls that it made, when it was created to learn them. */
  readonly systemCalls?: readonly string[];
}

/**
 * The kernel's account of a container, from files that are open: each number costs one system call, at once. Methods never
 * throw; of a container that is gone they give what was read last.
 */
export interface ContainerAccount {
  /** CPU time of all its processes since it was forked, ms with fractions. */
  cpuMs(): number;
  /** The most memory that was charged to it since `restartPeak`, or since the fork where that does nothing, bytes. */
  memoryPeakBytes(): number;
  /** Starts to look for the most memory anew, where the kernel can. */
  restartPeak(): void;
  /** Whether the kernel has refused it processes, or killed some for memory. */
  breach(): Breach | undefined;
}

/** What a container tells its owner. Implementations must not throw. */
export interface ContainerEvents extends NetworkEvents {
  frame(frame: Frame): void;
  /** A line that was written to the descriptors 1 or 2 (native code, child processes), without its end. */
  output(channel: 'stdout' | 'stderr', line: string): void;
  /** The frames are broken; the driver is already killing the container, and `exited` follows. */
  broken(error: HobError): void;
  /** Everything that was sent has left: called only after `send` returned false. */
  drain(): void;
  /** The container's end of the socket is closed, so nothing sent reaches it any more; `exited` follows. */
  closed?(): void;
}

/** A living container, parked when the driver gives it away. Its owner must end it with `kill` some day. */
export interface ContainerProcess {
  readonly id: string;
  /** Host pid of its first process. */
  readonly pid: number;
  /** From the request to fork until the PARKED frame, ms. */
  readonly createMs: number;
  /** Set by the owner at once after `create`. Nothing is reported before. */
  events: ContainerEvents;
  /** Queues frames. @returns false when more than 1 MiB waits: hold back until `drain`. Does nothing after death. */
  send(bytes: Buffer | readonly Buffer[]): boolean;
  /**
   * Sets what a version asks for. Descriptors and /tmp only before it is sent any code, the rest at any time; what is as it was
   * costs nothing. @throws ERR_NATIVE_SYSCALL
   */
  setLimits(limits: ContainerLimits): Promise<void>;
  /**
   * Opens what a policy allows. Only for a container of class `egress`, once; until then it reaches nothing.
   *
   * @throws ERR_NATIVE_SYSCALL
   */
  setEgress(policy: EgressPolicy): Promise<void>;
  /** Mounts the files of a bundle read-only at /var/task inside. @throws ERR_NATIVE_SYSCALL */
  mountTask(digest: string): Promise<void>;
  /**
   * Stops all its processes where they are, or lets them go on. Stopped ones use no CPU time, and can be killed. Without effect
   * on a host that has neither a v2 tree nor the freezer of v1.
   *
   * @throws ERR_NATIVE_SYSCALL
   */
  setFrozen(isFrozen: boolean): Promise<void>;
  readonly account: ContainerAccount;
  usage(): Promise<{ readonly cpuSeconds: number; readonly memoryBytes: number }>;
  /** SIGKILL to everything in it. Idempotent. */
  kill(): void;
  /** Resolved when every process, mount, cgroup and descriptor of it is gone. Never rejects. */
  readonly exited: Promise<ContainerExit>;
}

/** Makes containers: from zygotes, which it boots when first needed and again when they die. */
export interface ContainerDriver {
  /**
   * Forks a container and waits until it is parked.
   *
   * @param seccomp which system calls end it, beside hob's own profile; `learn`: none do, and the exit names those made.
   * @throws ERR_SCHED_START_FAILED with the cause, after which nothing is left; ERR_NATIVE_UNSUPPORTED when this host has no
   *   outbound network for containers; ERR_SCHED_CLOSED after close.
   */
  create(kind: ContainerKind, seccomp?: SystemCallRules | 'learn'): Promise<ContainerProcess>;
  zygotes(): readonly {
    readonly runtime: string;
    readonly memoryMb: number;
    readonly pid: number;
    readonly restarts: number;
  }[];
  /** Ends zygotes and every container that is still alive. Resolved when nothing is left. */
  close(): Promise<void>;
}
