import type { EgressPolicy } from '@hob/contracts';
import { areSame, type ContainerLimits, type NetworkEvents } from '../container-driver.ts';
import type { ContainerControl, ControlEnd } from '../driver/container-control.ts';
import type { Reply, Request } from './messages.ts';

export type WithoutSerial<T> = T extends { serial: number } ? Omit<T, 'serial'> : never;

/** Sends a request to the launcher. @throws what it answers; ERR_LAUNCHER_LOST when it is gone. */
export type Ask = (request: WithoutSerial<Request>) => Promise<Reply>;

/** A container's processes, mounts and cgroups, which the launcher holds. */
export class RemoteControl implements ContainerControl {
  readonly id: string;
  readonly pid: number;
  readonly ended: Promise<ControlEnd>;
  network: NetworkEvents = {};
  limits: ContainerLimits;
  readonly #ask: Ask;
  readonly #end = Promise.withResolvers<ControlEnd>();
  #isKilled = false;

  constructor({ id, pid, limits }: Pick<ContainerControl, 'id' | 'pid' | 'limits'>, ask: Ask) {
    this.id = id;
    this.pid = pid;
    this.limits = limits;
    this.ended = this.#end.promise;
    this.#ask = ask;
  }

  /** Most containers have what their functions want when they are parked: then there is nothing to ask for. */
  async setLimits(limits: ContainerLimits): Promise<void> {
    if (areSame(limits, this.limits)) return;
    this.limits = limits;
    const { io, ...others } = limits;
    await this.#ask({ op: 'limits', container: this.id, ...others, ...(io && { io }) });
  }

  async setEgress(policy: EgressPolicy): Promise<void> {
    if (policy !== 'none') await this.#ask({ op: 'egress', container: this.id, policy });
  }

  async mountTask(digest: string): Promise<void> {
    await this.#ask({ op: 'mount', container: this.id, digest });
  }

  async setFrozen(isFrozen: boolean): Promise<void> {
    await this.#ask({ op: 'freeze', container: this.id, isFrozen });
  }

  kill(): void {
    if (this.#isKilled) return;
    this.#isKilled = true;
    this.#ask({ op: 'kill', container: this.id }).catch(() => undefined); // the launcher is gone: so is the container
  }

  /** The launcher says how it ended; JSON leaves out what is undefined. */
  end(end: ControlEnd): void {
    this.#end.resolve({ ...end, code: end.code, signal: end.signal });
  }

  /** The launcher is gone: the kernel ends its containers with it. */
  lost(): void {
    this.end({ code: undefined, signal: 'SIGKILL', oomKills: 0, pidsDenied: 0, cpuSeconds: 0 });
  }
}
