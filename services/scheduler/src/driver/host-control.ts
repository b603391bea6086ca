import { join } from 'node:path';
import { BUNDLE_FILES_FOLDER, type EgressPolicy, fail, isBundleDigest } from '@hob/contracts';
import type { Native } from '@hob/native';
import type { ContainerLimits, NetworkEvents } from '../container-driver.ts';
import type { CgroupLimits, CgroupTree } from './cgroup-tree.ts';
import type { ContainerControl, ControlEnd } from './container-control.ts';
import { fixedLimits } from './fixed-limits.ts';
import type { ContainerNetwork } from './network/egress-network.ts';
import type { ProcessReaper } from './process-reaper.ts';
import type { WatchedCalls } from './system-call-watch.ts';

const MiB = 1024 * 1024;
const TASK_FOLDER = 'var/task';

/** What a container is controlled by. */
export interface HostControlParts {
  readonly id: string;
  readonly pid: number;
  /** Its uid and gid on the host. */
  readonly hostUid: number;
  readonly native: Native;
  readonly cgroups: CgroupTree;
  readonly reaper: ProcessReaper;
  /** Absolute path of the folder of bundles. */
  readonly bundles: string;
  /** What is enforced so far. */
  readonly limits: ContainerLimits;
  /** Undefined when it has no rules of its own. Released here. */
  readonly calls: WatchedCalls | undefined;
  /** Released here. */
  readonly network: ContainerNetwork;
}

/** The part that cgroups enforce. */
export function cgroupLimits({ memoryMb, cpu, cpuWeight, pids, io }: ContainerLimits): CgroupLimits {
  return { memoryBytes: memoryMb * MiB, cpu, cpuWeight, pidsMax: pids, io };
}

/** A container's processes, mounts and cgroups, in the hands of root. Lifecycle: alive → dying → ended. */
export class HostControl implements ContainerControl {
  readonly id: string;
  readonly pid: number;
  readonly ended: Promise<ControlEnd>;
  network: NetworkEvents = {};
  readonly #parts: HostControlParts;
  readonly #end = Promise.withResolvers<ControlEnd>();
  limits: ContainerLimits;
  #isMounted = false;
  #isDying = false;

  constructor(parts: HostControlParts) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.id = parts.id;
    this.pid = parts.pid;
    this.ended = this.#end.promise;
    if (parts.calls) parts.calls.onForbidden = () => this.kill();
  }

  /** What equals the limits of a parked container costs nothing. */
  async setLimits(limits: ContainerLimits): Promise<void> {
    // A pid is only its own as long as it was not reaped.
    if (this.#isDying) throw fail('ERR_NATIVE_SYSCALL', ['limits', 'ESRCH']);
    const { cgroups, native, hostUid } = this.#parts;
    const before = this.limits;
    this.limits = limits;
    cgroups.setLimits(this.id, cgroupLimits(limits), cgroupLimits(before));
    const fixed = fixedLimits(limits, before);
    if (fixed !== undefined) native.limit(this.pid, { ...fixed, hostUid });
  }

  async setEgress(policy: EgressPolicy): Promise<void> {
    if (this.#isDying) throw fail('ERR_NATIVE_SYSCALL', ['egress', 'ESRCH']);
    this.#parts.network.open(policy, () => this.network);
  }

  /** The digest is all that the caller says of the place: see hob_mount() for what may be there. */
  async mountTask(digest: string): Promise<void> {
    // Nothing but a digest becomes part of a path; and a pid is only its own as long as it was not reaped.
    if (!isBundleDigest(digest)) throw fail('ERR_BUNDLE_INVALID', ['not the digest of a bundle']);
    if (this.#isDying) throw fail('ERR_NATIVE_SYSCALL', ['mount', 'ESRCH']);
    if (this.#isMounted) throw fail('ERR_NATIVE_SYSCALL', ['mount', 'EEXIST']); // a container serves one version
    this.#parts.native.mount(this.pid, this.#parts.bundles, join(digest, BUNDLE_FILES_FOLDER), TASK_FOLDER);
    this.#isMounted = true;
  }

  async setFrozen(isFrozen: boolean): Promise<void> {
    if (this.#isDying) throw fail('ERR_NATIVE_SYSCALL', ['cgroup freeze', 'ESRCH']);
    this.#parts.cgroups.setFrozen(this.id, isFrozen);
  }

  kill(): void {
    if (this.#isDying) return;
    this.#isDying = true;
    void this.#bury();
  }

  async #bury(): Promise<void> {
    const { reaper, cgroups, native, calls, network } = this.#parts;
    // All at once; else the first process of a pid namespace takes all others with it. It is reaped only when they are gone.
    if (!cgroups.kill(this.id)) {
      native.kill(this.pid);
      cgroups.letDie(this.id);
    }
    const end = await reaper.wait(this.pid);
    network.release();
    const { oomKills, pidsDenied, cpuSeconds } = cgroups.tally(this.id);
    await cgroups.remove(this.id).catch(() => undefined); // busy for ever: the next start removes it
    this.#end.resolve({ ...end, oomKills, pidsDenied, cpuSeconds, ...calls?.release() });
  }
}
