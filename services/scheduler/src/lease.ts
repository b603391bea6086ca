import type { DeathCause, StartKind } from '@hob/contracts';
import type { ContainerMeter } from './container-meter.ts';

/** The container's side of its leases. */
export interface LeaseHost {
  /** More than enough waits for the container. */
  readonly isCongested: boolean;
  send(frame: Buffer): void;
  readonly meter: ContainerMeter;
  abandon(stream: number, cause: DeathCause): void;
}

/** What a call's container went through for it. */
export interface LeaseStart {
  readonly kind: StartKind;
  /** Forking the container, ms; 0 unless the call is part of a cold start. */
  readonly createMs: number;
  /** When the claim of the container began, monotonic ms; undefined for a container that was loaded already. */
  readonly claimedAtMs: number | undefined;
  /** CPU time of the container when it was last asked for, which is when the call before ended or the claim began, ms. */
  readonly cpuMs: number;
}

/** One call's use of one container, on a stream of its own. It ends with the stream, or when it is abandoned. */
export class Lease {
  readonly stream: number;
  readonly start: LeaseStart;
  readonly #host: LeaseHost;

  constructor(host: LeaseHost, stream: number, start: LeaseStart) {
    this.#host = host;
    this.stream = stream;
    this.start = start;
  }

  /** True: hold bodies back until the container drains. */
  get isCongested(): boolean {
    return this.#host.isCongested;
  }

  send(frame: Buffer): void {
    this.#host.send(frame);
  }

  /** What the container has used, by the kernel's account. */
  get meter(): ContainerMeter {
    return this.#host.meter;
  }

  /**
   * Gives up on a stream that does not end. The container gets no more calls, and is ended with this cause once its
   * other calls are over: at once when it has none.
   */
  abandon(cause: DeathCause): void {
    this.#host.abandon(this.stream, cause);
  }
}
