import { realpathSync } from 'node:fs';
import { fail, functionConfigSchema, isHobError } from '@hob/contracts';
import { loadNative, type Native } from '@hob/native';
import type { ContainerDriver, ContainerLimits, ContainerProcess } from '../container-driver.ts';
import type { AccountReader } from './cgroup-account.ts';
import { detectCgroups } from './cgroup-host.ts';
import { CgroupTree } from './cgroup-tree.ts';
import type { DriverOptions } from './driver-options.ts';
import { cgroupLimits, HostContainer } from './host-container.ts';
import { HostUids } from './host-uids.ts';
import { childrenRunning, removeLeftovers } from './leftovers.ts';
import { ProcessReaper } from './process-reaper.ts';
import { type ForkResult, Zygote } from './zygote.ts';

const MiB = 1024 * 1024;
const RUNTIME = 'nodejs24.x';
const HOSTNAME = 'hob';
/** Twice what any function may have: the limit is the cgroup's, which counts its refusals; this one stands behind it. */
const NPROC_MAX = 2 * functionConfigSchema.properties.pids.maximum;

interface ZygoteSlot {
  booting: Promise<Zygote>;
  live: Zygote | undefined;
  restarts: number;
}

/** What a container has before it is forked. */
interface Made {
  readonly id: string;
  readonly hostUid: number;
  readonly limits: ContainerLimits;
  readonly account: AccountReader;
}

/**
 * Containers of this host: forked from zygotes, one for each memory class, which are booted when first needed and again
 * after they died. Containers are children of this process, so they outlive their zygote and die with this process.
 */
export class HostDriver implements ContainerDriver {
  readonly #options: DriverOptions;
  readonly #native: Native;
  readonly #cgroups: CgroupTree;
  readonly #reaper: ProcessReaper;
  readonly #uids: HostUids;
  readonly #zygotes = new Map<number, ZygoteSlot>();
  readonly #alive = new Map<number, HostContainer>();
  readonly #onZygoteRestart: (memoryClassMb: number) => void;
  /** Two runs on one data folder never give a container the same name. */
  readonly #run = Date.now().toString(36);
  #serial = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: DriverOptions, cgroups: CgroupTree, onZygoteRestart: (memoryClassMb: number) => void) {
    this.#options = options;
    this.#native = loadNative(options.library);
    this.#cgroups = cgroups;
    this.#reaper = new ProcessReaper(this.#native);
    this.#uids = new HostUids(options.hostUidFirst, options.hostUids);
    this.#onZygoteRestart = onZygoteRestart;
  }

  /**
   * Opens the driver, after having removed what a killed predecessor of the same instance left.
   *
   * @param onZygoteRestart told each time a zygote is booted in place of one that died; must not throw.
   * @throws ERR_NATIVE_UNSUPPORTED, ERR_NATIVE_SYSCALL
   */
  static async open(
    options: DriverOptions,
    onZygoteRestart: (memoryClassMb: number) => void = () => undefined,
  ): Promise<HostDriver> {
    const cgroups = new CgroupTree(detectCgroups(), options.instance);
    await removeLeftovers(cgroups);
    await cgroups.open();
    return new HostDriver({ ...options, root: realpathSync(options.root) }, cgroups, onZygoteRestart);
  }

  async create(runtime: string, memoryClassMb: number): Promise<ContainerProcess> {
    if (this.#closing) throw fail('ERR_SCHED_CLOSED', []);
    if (runtime !== RUNTIME) throw fail('ERR_SCHED_START_FAILED', [`no runtime is called ${runtime}`]);
    const startedMs = performance.now();
    const container = await this.#start(memoryClassMb);
    await container.parked(this.#options.startTimeoutMs);
    container.createMs = performance.now() - startedMs;
    if (this.#isClosing()) {
      container.kill();
      await container.exited;
      throw fail('ERR_SCHED_CLOSED', []);
    }
    return container;
  }

  zygotes(): { runtime: string; memoryMb: number; pid: number; restarts: number }[] {
    return [...this.#zygotes].flatMap(([memoryMb, slot]) =>
      slot.live ? [{ runtime: RUNTIME, memoryMb, pid: slot.live.pid, restarts: slot.restarts }] : [],
    );
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** `create` looks again after it waited. */
  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #start(memoryClassMb: number): Promise<HostContainer> {
    const { options, id } = { options: this.#options, id: `c-${this.#run}-${this.#serial++}` };
    const zygote = await this.#zygote(memoryClassMb);
    const hostUid = this.#uids.take();
    let account: AccountReader | undefined;
    try {
      const limits = this.#parkedLimits(memoryClassMb);
      this.#cgroups.create(id, cgroupLimits(limits));
      account = this.#cgroups.account(id);
      const forked = await zygote.fork({
        root: options.root,
        hostname: HOSTNAME,
        ...this.#cgroups.dirs(id),
        hostUid,
        tmpBytes: options.tmpBytes,
        tmpInodes: options.tmpInodes,
        shmBytes: options.shmBytes,
        nofileMax: options.nofileMax,
        nprocMax: NPROC_MAX,
        fileBytesMax: options.fileBytesMax,
      });
      return this.#adopt({ id, hostUid, limits, account }, forked);
    } catch (cause) {
      account?.close();
      this.#uids.giveBack(hostUid);
      await this.#cgroups.remove(id).catch(() => undefined); // a lost child is in it: see #endLostChildren
      throw isHobError(cause) ? cause : fail('ERR_SCHED_START_FAILED', [String(cause)], { cause });
    }
  }

  #parkedLimits(memoryMb: number): ContainerLimits {
    const { pidsMax: pids, nofileMax: nofile, tmpBytes, tmpInodes: tmpFiles } = this.#options;
    return { memoryMb, cpu: 1, pids, nofile, tmpMb: tmpBytes / MiB, tmpFiles, io: undefined };
  }

  #adopt({ id, hostUid, limits, account }: Made, forked: ForkResult): HostContainer {
    const container = new HostContainer({
      id,
      hostUid,
      forked,
      cgroups: this.#cgroups,
      reaper: this.#reaper,
      native: this.#native,
      account,
      limits,
      mount: (pid, source, target) => this.#mount(pid, source, target),
    });
    this.#alive.set(forked.pid, container);
    void container.exited.then(() => {
      this.#alive.delete(forked.pid);
      this.#uids.giveBack(hostUid);
    });
    return container;
  }

  /** Any zygote can mount for any container. */
  async #mount(pid: number, source: string, target: string): Promise<void> {
    const classMb = this.#zygotes.keys().next().value;
    if (classMb === undefined) throw fail('ERR_NATIVE_SYSCALL', ['mount', 'no zygote']);
    const zygote = await this.#zygote(classMb);
    await zygote.mount({ pid, source, target });
  }

  /** The zygote of a memory class, booting it when there is none that lives. */
  #zygote(memoryClassMb: number): Promise<Zygote> {
    const slot = this.#zygotes.get(memoryClassMb);
    if (slot) return slot.booting;
    const fresh: ZygoteSlot = { booting: this.#boot(memoryClassMb), live: undefined, restarts: 0 };
    this.#zygotes.set(memoryClassMb, fresh);
    this.#follow(memoryClassMb, fresh);
    return fresh.booting;
  }

  async #boot(memoryClassMb: number): Promise<Zygote> {
    const zygote = await Zygote.boot(this.#native, this.#options, memoryClassMb);
    try {
      await this.#cgroups.adopt(`zygote-${memoryClassMb}`, zygote.pid);
      return zygote;
    } catch (error) {
      zygote.kill();
      await zygote.exited;
      throw error;
    }
  }

  /** Keeps a slot alive: a zygote that dies is booted anew; one that does not boot leaves its slot to the next call. */
  #follow(memoryClassMb: number, slot: ZygoteSlot): void {
    slot.booting.then(
      (zygote) => {
        slot.live = zygote;
        void zygote.exited.then(() => {
          slot.live = undefined;
          if (this.#closing) return;
          this.#endLostChildren();
          slot.restarts += 1;
          slot.booting = this.#boot(memoryClassMb);
          this.#follow(memoryClassMb, slot);
          this.#onZygoteRestart(memoryClassMb);
        });
      },
      () => this.#zygotes.delete(memoryClassMb),
    );
  }

  /** Ends children that a zygote forked but died before it could name them. */
  #endLostChildren(): void {
    const zygotes = new Set([...this.#zygotes.values()].map((slot) => slot.live?.pid));
    for (const pid of childrenRunning(`${this.#options.root}/usr/local/bin/node`)) {
      if (zygotes.has(pid) || this.#alive.has(pid)) continue;
      process.kill(pid, 'SIGKILL');
      void this.#reaper.wait(pid);
    }
  }

  async #close(): Promise<void> {
    for (const container of this.#alive.values()) container.kill();
    await Promise.all([...this.#alive.values()].map((container) => container.exited));
    for (const slot of [...this.#zygotes.values()]) {
      const zygote = await slot.booting.catch(() => undefined);
      zygote?.kill();
      await zygote?.exited;
    }
    this.#zygotes.clear();
    await removeLeftovers(this.#cgroups);
    await this.#cgroups.close();
    this.#reaper.close();
  }
}
