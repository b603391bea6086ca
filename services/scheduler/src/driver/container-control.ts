import type { EgressPolicy } from '@hob/contracts';
import type { ContainerExit, ContainerLimits, NetworkEvents } from '../container-driver.ts';
import type { ProcessEnd } from './process-reaper.ts';

/** How a container ended, as the kernel tells it: read when its processes were gone, before its cgroups were. */
export interface ControlEnd extends ProcessEnd, Pick<ContainerExit, 'systemCalls' | 'forbiddenCall'> {
  /** How many processes the kernel killed for memory. */
  readonly oomKills: number;
  /** How many forks were refused at the limit. */
  readonly pidsDenied: number;
  /** CPU time of all its processes, seconds. */
  readonly cpuSeconds: number;
}

/**
 * The privileged half of a container: what needs root, whether it is done in this process or asked of the launcher. The
 * other half, its bytes, is `HostContainer`.
 */
export interface ContainerControl {
  readonly id: string;
  /** Host pid of its first process. */
  readonly pid: number;
  /** Who is told of its network; set by whoever holds it, before `setEgress`. */
  network: NetworkEvents;
  /** What is enforced. */
  readonly limits: ContainerLimits;
  /** @throws ERR_NATIVE_SYSCALL */
  setLimits(limits: ContainerLimits): Promise<void>;
  /** See `ContainerProcess`. @throws ERR_NATIVE_SYSCALL */
  setEgress(policy: EgressPolicy): Promise<void>;
  /** Mounts the files of a bundle read-only at /var/task inside. @throws ERR_NATIVE_SYSCALL */
  mountTask(digest: string): Promise<void>;
  /** See `ContainerProcess`. @throws ERR_NATIVE_SYSCALL */
  setFrozen(isFrozen: boolean): Promise<void>;
  /** SIGKILL to everything in it. Idempotent. It must be called when the container closed its socket, too. */
  kill(): void;
  /** Resolved when its processes, mounts and cgroups are gone. Never rejects. */
  readonly ended: Promise<ControlEnd>;
}
