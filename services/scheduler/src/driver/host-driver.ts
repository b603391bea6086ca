import { existsSync, realpathSync } from 'node:fs';
import { fail, functionConfigSchema, isHobError, type SystemCallRules } from '@hob/contracts';
import {
  type ContainerProgram,
  type ContainerRequest,
  loadNative,
  loadNetwork,
  type Native,
  type NativeNetwork,
} from '@hob/native';
import type { ContainerDriver, ContainerKind, ContainerLimits, ContainerProcess } from '../container-driver.ts';
import { detectCgroups } from './cgroup-host.ts';
import { CPU_WEIGHT_USUAL } from './cgroup-knobs.ts';
import { CgroupTree } from './cgroup-tree.ts';
import { type Confinement, openConfinement } from './confinement.ts';
import type { ContainerControl } from './container-control.ts';
import type { ContainerEnds } from './descriptor-inbox.ts';
import type { DriverEvents, DriverOptions } from './driver-options.ts';
import { HostContainer } from './host-container.ts';
import { cgroupLimits, HostControl } from './host-control.ts';
import { HostUids } from './host-uids.ts';
import { childrenOf, removeLeftovers } from './leftovers.ts';
import { type ContainerNetwork, EgressNetwork } from './network/egress-network.ts';
import { removeHostLeftovers } from './network/host-link.ts';
import { LoopbackNamespaces } from './network/loopback-namespaces.ts';
import { ProcessReaper } from './process-reaper.ts';
import { SystemCallWatch, type WatchedCalls } from './system-call-watch.ts';
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

/** What a driver is made of. */
interface HostDriverParts {
  readonly options: DriverOptions;
  readonly cgroups: CgroupTree;
  readonly confinement: Confinement;
  readonly events: DriverEvents;
}

/** What a container has before it is forked. */
interface Made {
  readonly id: string;
  readonly hostUid: number;
  readonly limits: ContainerLimits;
  readonly calls: WatchedCalls | undefined;
  readonly network: ContainerNetwork;
}

/** A container that was forked and is not yet parked. */
export interface Launched {
  readonly control: ContainerControl;
  /** The receiver owns them. */
  readonly ends: ContainerEnds;
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
  readonly #systemCalls: SystemCallWatch;
  readonly #confinement: Confinement;
  readonly #zygotes = new Map<number, ZygoteSlot>();
  /** Of all that have booted and are not gone. */
  readonly #zygotePids = new Set<number>();
  /** By pid. */
  readonly #alive = new Map<number, ContainerControl>();
  /** Those whose bytes are read by this process. */
  readonly #containers = new Set<HostContainer>();
  readonly #events: DriverEvents;
  readonly #nativeNetwork: NativeNetwork;
  readonly #loopbacks: LoopbackNamespaces;
  /** Opened when first needed: most functions have no network. */
  #network: Promise<EgressNetwork> | undefined;
  /** Two runs on one data folder never give a container the same name. */
  readonly #run = Date.now().toString(36);
  #serial = 0;
  #closing: Promise<void> | undefined;

  private constructor({ options, cgroups, confinement, events }: HostDriverParts) {
    this.#options = options;
    this.#native = loadNative(options.library);
    this.#nativeNetwork = loadNetwork(options.library);
    this.#loopbacks = new LoopbackNamespaces(this.#nativeNetwork);
    this.#cgroups = cgroups;
    this.#confinement = confinement;
    this.#reaper = new ProcessReaper(this.#native);
    this.#uids = new HostUids(options.hostUidFirst, options.hostUids);
    this.#systemCalls = new SystemCallWatch(this.#native, options.library);
    this.#events = events;
  }

  /**
   * Opens the driver, after having removed what a killed predecessor of the same instance left.
   *
   * @throws ERR_NATIVE_UNSUPPORTED, ERR_NATIVE_SYSCALL, ERR_CONFIG_INVALID
   */
  static async open(options: DriverOptions, events: DriverEvents = {}): Promise<HostDriver> {
    EgressNetwork.check(options.egress);
    const root = rootWithoutLinks(options.root);
    const confinement = await openConfinement([root, options.bundles].filter((folder) => existsSync(folder)));
    const cgroups = new CgroupTree(detectCgroups(), options.instance);
    await removeLeftovers(cgroups);
    await cgroups.open();
    const driver = new HostDriver({ options: { ...options, root }, cgroups, confinement, events });
    removeHostLeftovers(driver.#nativeNetwork, options.instance);
    return driver;
  }

  /** Where in the v2 tree containers' groups are; undefined on a host without one. */
  get cgroupBase(): string | undefined {
    return this.#cgroups.base;
  }

  /** Why security modules that are in force on this host do not confine containers, one sentence each; empty when they do. */
  get lacks(): readonly string[] {
    return this.#confinement.lacks;
  }

  async create(kind: ContainerKind, seccomp?: SystemCallRules | 'learn'): Promise<ContainerProcess> {
    const startedMs = performance.now();
    const launched = await this.launch(kind, seccomp);
    const container = HostContainer.hold({ ...launched, cgroups: this.#cgroups }, this.#native);
    this.#containers.add(container);
    void container.exited.then(() => this.#containers.delete(container));
    await container.parked(this.#options.startTimeoutMs);
    container.createMs = performance.now() - startedMs;
    if (this.#isClosing()) {
      container.kill();
      await container.exited;
      throw fail('ERR_SCHED_CLOSED', []);
    }
    return container;
  }

  /**
   * Forks a container, which parks by itself; for a caller who reads its bytes elsewhere.
   *
   * @throws ERR_SCHED_START_FAILED, after which nothing is left; ERR_SCHED_CLOSED after close.
   */
  async launch(kind: ContainerKind, seccomp?: SystemCallRules | 'learn'): Promise<Launched> {
    if (this.#closing) throw fail('ERR_SCHED_CLOSED', []);
    const { programs } = this.#options;
    const { runtime } = kind;
    const program = Object.hasOwn(programs, runtime) ? programs[runtime] : undefined;
    if (runtime !== RUNTIME && program === undefined) {
      throw fail('ERR_SCHED_START_FAILED', [`no runtime is called ${runtime}`]);
    }
    if (program !== undefined && seccomp !== undefined) {
      throw fail('ERR_SCHED_START_FAILED', [`${runtime} takes no rules for system calls`]);
    }
    return this.#start(kind, program, seccomp);
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

  async #start(
    kind: ContainerKind,
    program: ContainerProgram | undefined,
    seccomp: SystemCallRules | 'learn' | undefined,
  ): Promise<Launched> {
    const serial = this.#serial++;
    const { options, id } = { options: this.#options, id: `c-${this.#run}-${serial}` };
    const zygote = await this.#zygote(kind.memoryMb);
    const hostUid = this.#uids.take();
    let calls: WatchedCalls | undefined;
    let network: ContainerNetwork | undefined;
    try {
      network = (kind.network === 'egress' ? await this.#openNetwork() : this.#loopbacks).take();
      if (seccomp) calls = this.#systemCalls.watch(serial, seccomp);
      const limits = this.#parkedLimits(kind.memoryMb);
      this.#cgroups.create(id, cgroupLimits(limits), options.accountUid);
      const request = { ...this.#request(id, hostUid), netns: network.path };
      const forked = program
        ? zygote.spawn(request, program)
        : zygote.fork({ ...request, ...(calls && { filter: calls.filter }) }, calls?.noticesFd);
      if (kind.network === 'none') this.#loopbacks.prepare(); // meanwhile
      return this.#adopt({ id, hostUid, limits, calls, network }, await forked);
    } catch (cause) {
      this.#uids.giveBack(hostUid);
      await this.#endLost(id);
      network?.release();
      calls?.release();
      throw isHobError(cause) ? cause : fail('ERR_SCHED_START_FAILED', [String(cause)], { cause });
    } finally {
      calls?.forked();
    }
  }

  #request(id: string, hostUid: number): Omit<ContainerRequest, 'netns'> {
    const { root, tmpBytes, tmpInodes, shmBytes, nofileMax, fileBytesMax, hostUidFirst } = this.#options;
    return {
      root,
      hostname: HOSTNAME,
      ...this.#cgroups.dirs(id),
      ...this.#confinement.labels(hostUid - hostUidFirst),
      hostUid,
      tmpBytes,
      tmpInodes,
      shmBytes,
      nofileMax,
      nprocMax: NPROC_MAX,
      fileBytesMax,
      // What it can reach is its network's to say, and some functions serve HTTP to themselves.
      tcpAllowed: true,
    };
  }

  #openNetwork(): Promise<EgressNetwork> {
    if (this.#closing) throw fail('ERR_SCHED_CLOSED', []);
    if (this.#network === undefined) {
      const { egress: options, instance } = this.#options;
      this.#network = EgressNetwork.open({ native: this.#nativeNetwork, options, instance });
      this.#network.catch(() => {
        this.#network = undefined; // the next container may have more luck
      });
    }
    return this.#network;
  }

  /** Removes the cgroups of a container that did not come to be, with what its zygote could not tell of. */
  async #endLost(id: string): Promise<void> {
    const pids = await this.#cgroups.processes(id);
    if (!this.#cgroups.kill(id)) for (const pid of pids) this.#native.kill(pid);
    for (const pid of pids) void this.#reaper.wait(pid);
    await this.#cgroups.remove(id).catch(() => undefined); // it is not in there yet: see #endLostChildren
  }

  #parkedLimits(memoryMb: number): ContainerLimits {
    const { pidsMax: pids, nofileMax: nofile, tmpBytes, tmpInodes: tmpFiles } = this.#options;
    return {
      memoryMb,
      cpu: 1,
      cpuWeight: CPU_WEIGHT_USUAL,
      pids,
      nofile,
      tmpMb: tmpBytes / MiB,
      tmpFiles,
      io: undefined,
    };
  }

  #adopt({ id, hostUid, limits, calls, network }: Made, { pid, ends }: ForkResult): Launched {
    const control = new HostControl({
      id,
      pid,
      hostUid,
      native: this.#native,
      cgroups: this.#cgroups,
      reaper: this.#reaper,
      bundles: this.#options.bundles,
      limits,
      calls,
      network,
    });
    this.#alive.set(pid, control);
    void control.ended.then(() => {
      this.#alive.delete(pid);
      this.#uids.giveBack(hostUid);
    });
    return { control, ends };
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
    const { pid } = zygote;
    this.#zygotePids.add(pid);
    void zygote.exited.then(() => this.#zygotePids.delete(pid));
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
        this.#events.zygotesChanged?.();
        void zygote.exited.then(() => {
          slot.live = undefined;
          if (this.#closing) return;
          this.#events.zygotesChanged?.();
          this.#endLostChildren();
          slot.restarts += 1;
          slot.booting = this.#boot(memoryClassMb);
          this.#follow(memoryClassMb, slot);
          this.#events.zygoteRestarted?.(memoryClassMb);
        });
      },
      () => this.#zygotes.delete(memoryClassMb),
    );
  }

  /**
   * Ends children that a zygote forked but died before it could name them. They are in its cgroups or in those that it gave them,
   * where no other child of this process is, be it another driver's or a zygote that boots.
   */
  #endLostChildren(): void {
    for (const child of childrenOf(`${this.#options.root}/usr/local/bin/node`)) {
      const { pid } = child;
      if (this.#zygotePids.has(pid) || this.#alive.has(pid) || !this.#cgroups.mayHold(child)) continue;
      process.kill(pid, 'SIGKILL');
      void this.#reaper.wait(pid);
    }
  }

  async #close(): Promise<void> {
    await this.#endAll();
    for (const slot of [...this.#zygotes.values()]) {
      const zygote = await slot.booting.catch(() => undefined);
      zygote?.kill();
      await zygote?.exited;
    }
    this.#zygotes.clear();
    await this.#endAll(); // what they forked meanwhile
    await (await this.#network?.catch(() => undefined))?.close();
    this.#loopbacks.close();
    await removeLeftovers(this.#cgroups);
    await this.#cgroups.close();
    await this.#systemCalls.close();
    this.#endLostChildren();
    this.#reaper.close();
  }

  async #endAll(): Promise<void> {
    for (const control of this.#alive.values()) control.kill();
    await Promise.all([...this.#alive.values()].map((control) => control.ended));
    await Promise.all([...this.#containers].map((container) => container.exited));
  }
}

function rootWithoutLinks(root: string): string {
  try {
    return realpathSync(root);
  } catch (cause) {
    throw fail('ERR_NATIVE_UNSUPPORTED', [`there is no root filesystem at ${root}`, 'run "npm start" once'], { cause });
  }
}
