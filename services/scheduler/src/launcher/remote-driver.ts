import { catalogue, type ErrorCode, fail, HobError, type SystemCallRules } from '@hob/contracts';
import { hostNative } from '@hob/native';
import type { ContainerDriver, ContainerKind, ContainerProcess } from '../container-driver.ts';
import { detectCgroups } from '../driver/cgroup-host.ts';
import { CgroupTree } from '../driver/cgroup-tree.ts';
import { DescriptorInbox } from '../driver/descriptor-inbox.ts';
import { HostContainer } from '../driver/host-container.ts';
import type { LauncherConnection } from './connection.ts';
import { LineStream } from './line-stream.ts';
import type { Reply, Request, ServingNote } from './messages.ts';
import { type Ask, RemoteControl, type WithoutSerial } from './remote-control.ts';

interface Pending {
  resolve(reply: Reply): void;
  reject(error: HobError): void;
}

export interface RemoteDriverOptions {
  /** The launcher's instance, whose accounts are read here. */
  readonly instance: string;
  /** How long a container may take to be parked, ms. */
  readonly startTimeoutMs: number;
  /** Told each time a zygote is booted in place of one that died; must not throw. */
  readonly onZygoteRestart?: (memoryClassMb: number) => void;
}

/**
 * Containers that the launcher makes, in this process's hands: it needs no privilege. Their frames and their output come
 * here from the kernel and do not pass through the launcher; it is asked for a container, for limits and mounts, and for
 * an end.
 *
 * Lifecycle: open ──close()──▶ closed, or open ──the launcher is gone──▶ lost: its containers are dead then.
 */
export class RemoteDriver implements ContainerDriver {
  /** Resolved with ERR_LAUNCHER_LOST when the launcher goes away unasked. */
  readonly lost: Promise<HobError>;
  readonly #options: RemoteDriverOptions;
  /** Of the launcher, who tells with the first container where it has them. */
  #cgroups: CgroupTree | undefined;
  readonly #lines: LineStream;
  readonly #inbox: DescriptorInbox;
  readonly #pending = new Map<number, Pending>();
  readonly #controls = new Map<string, RemoteControl>();
  readonly #containers = new Set<HostContainer>();
  readonly #lost = Promise.withResolvers<HobError>();
  readonly #gone = Promise.withResolvers<void>();
  #zygotes: ReturnType<ContainerDriver['zygotes']> = [];
  #serial = 0;
  #isGone = false;
  #closing: Promise<void> | undefined;

  /** Takes ownership of the connection. */
  constructor({ socket, channel }: LauncherConnection, options: RemoteDriverOptions) {
    this.#options = options;
    this.#inbox = new DescriptorInbox(hostNative(), channel);
    this.#lines = new LineStream(socket, {
      line: (text) => this.#take(JSON.parse(text) as Reply),
      tooLong: () => this.#lines.destroy(),
      closed: () => this.#end(),
    });
    this.lost = this.#lost.promise;
  }

  async create(kind: ContainerKind, seccomp?: SystemCallRules | 'learn'): Promise<ContainerProcess> {
    if (this.#closing) throw fail('ERR_SCHED_CLOSED', []);
    const startedMs = performance.now();
    const container = await this.#launch(kind, seccomp);
    await container.parked(this.#options.startTimeoutMs);
    container.createMs = performance.now() - startedMs;
    if (this.#isClosing()) {
      container.kill();
      await container.exited;
      throw fail('ERR_SCHED_CLOSED', []);
    }
    return container;
  }

  zygotes(): ReturnType<ContainerDriver['zygotes']> {
    return this.#zygotes;
  }

  /** Tells the launcher that calls are served. @returns what it has to say to the operator. */
  async serving(note: ServingNote): Promise<string | undefined> {
    const reply = await this.#ask({ op: 'serving', ...note });
    return reply.op === 'done' ? reply.text : undefined;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** `create` looks again after it waited. */
  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #launch(kind: ContainerKind, seccomp: SystemCallRules | 'learn' | undefined): Promise<HostContainer> {
    const request = { op: 'create', ...kind, ...(seccomp && { seccomp }) } as WithoutSerial<Request>;
    const reply = await this.#ask(request);
    if (reply.op !== 'created') throw fail('ERR_INTERNAL', []);
    const { container: id, pid, limits, cgroupBase } = reply;
    const control = new RemoteControl({ id, pid, limits }, this.#ask);
    this.#controls.set(id, control);
    const ends = this.#inbox.take(reply.serial);
    if (ends === undefined) {
      control.kill();
      throw fail('ERR_SCHED_START_FAILED', ['its descriptors did not come']);
    }
    const cgroups = (this.#cgroups ??= new CgroupTree(detectCgroups(cgroupBase), this.#options.instance));
    const container = HostContainer.hold({ control, ends, cgroups }, hostNative());
    this.#containers.add(container);
    void container.exited.then(() => this.#containers.delete(container));
    return container;
  }

  readonly #ask: Ask = (request) => {
    if (this.#isGone) return Promise.reject(launcherLost());
    const serial = (this.#serial = (this.#serial % 0xffff_ffff) + 1);
    this.#lines.send({ serial, ...request });
    if (request.op === 'kill') return Promise.resolve({ op: 'done', serial });
    return new Promise((resolve, reject) => this.#pending.set(serial, { resolve, reject }));
  };

  #take(reply: Reply): void {
    switch (reply.op) {
      case 'ended':
        this.#controls.get(reply.container)?.end(reply.end);
        this.#controls.delete(reply.container);
        return;
      case 'denied':
        this.#controls.get(reply.container)?.network.denied?.(reply.denial);
        return;
      case 'resolved':
        this.#controls.get(reply.container)?.network.resolved?.(reply.tally);
        return;
      case 'zygotes':
        this.#zygotes = reply.zygotes;
        if (reply.restartedMb !== undefined) this.#options.onZygoteRestart?.(reply.restartedMb);
        return;
      default: {
        const pending = this.#pending.get(reply.serial);
        this.#pending.delete(reply.serial);
        if (reply.op !== 'failed') pending?.resolve(reply);
        else {
          this.#inbox.discard(reply.serial);
          pending?.reject(errorOf(reply));
        }
      }
    }
  }

  async #close(): Promise<void> {
    if (!this.#isGone) await this.#ask({ op: 'close' }).catch(() => undefined); // it is gone: so is everything
    this.#lines.destroy();
    await this.#gone.promise;
    await Promise.all([...this.#containers].map((container) => container.exited));
  }

  /** Nothing comes from the launcher any more, and with it or without, its containers are dead. */
  #end(): void {
    this.#isGone = true;
    for (const pending of this.#pending.values()) pending.reject(launcherLost());
    this.#pending.clear();
    for (const control of this.#controls.values()) control.lost();
    this.#controls.clear();
    this.#zygotes = [];
    this.#inbox.close();
    this.#gone.resolve();
    if (!this.#closing) this.#lost.resolve(launcherLost());
  }
}

function launcherLost(): HobError {
  return fail('ERR_LAUNCHER_LOST', ['the launcher has ended, and its containers with it']);
}

function errorOf({ code, message }: Extract<Reply, { op: 'failed' }>): HobError {
  return Object.hasOwn(catalogue, code) ? new HobError(code as ErrorCode, message) : fail('ERR_INTERNAL', []);
}
