import { fail } from '@hob/contracts';
import type { Timer } from './clock.ts';
import type { Container } from './container.ts';
import { type Death, deathBy, quietCauses } from './death.ts';
import type { Environment } from './environment.ts';
import type { Fleet, RoomWaiter } from './fleet.ts';
import { isCertain } from './start-backoff.ts';

/** What a `LoadProof` is made of. */
export interface LoadProofParts {
  readonly env: Pick<Environment, 'clock' | 'config'>;
  readonly fleet: Pick<Fleet, 'waitForRoom' | 'forget'>;
  /** Of the version, dying ones included. */
  readonly containers: ReadonlySet<Container>;
  /** Starts one. @returns undefined when there is no room. */
  start(): Container | undefined;
}

/** Finds out whether a version can be loaded, by loading a container of it that no call waits for. */
export class LoadProof implements RoomWaiter {
  readonly #parts: LoadProofParts;
  #sought: PromiseWithResolvers<Death | undefined> | undefined;
  #hasFailed = false;
  #timer: Timer | undefined;
  #sinceMs = Infinity;

  constructor(parts: LoadProofParts) {
    this.#parts = parts;
  }

  get isSought(): boolean {
    return this.#sought !== undefined;
  }

  /** @returns undefined once a container is loaded, else what the one that was started died of. Never rejects. */
  seek(): Promise<Death | undefined> {
    if (this.#sought !== undefined) return this.#sought.promise;
    for (const { wasLoaded, isLeaving } of this.#parts.containers) {
      if (wasLoaded && !isLeaving) return Promise.resolve(undefined);
    }
    this.#sought = Promise.withResolvers();
    this.#hasFailed = false;
    this.#try();
    return this.#sought.promise;
  }

  loaded(): void {
    this.settle(undefined);
  }

  /** Nothing is left of one of the containers. */
  lost(container: Container, death: Death): void {
    if (this.#sought === undefined) return;
    const isFailure = !container.wasLoaded && !quietCauses.has(death.cause);
    if (isFailure && (this.#hasFailed || isCertain(death) || death.cause === 'timeout')) this.settle(death);
    else {
      this.#hasFailed ||= isFailure;
      this.#try();
    }
  }

  /** Ends the search. Does nothing when there is none. */
  settle(death: Death | undefined): void {
    this.#stopWaiting();
    this.#sought?.resolve(death);
    this.#sought = undefined;
  }

  // For the fleet.

  get containerCount(): number {
    return this.#parts.containers.size;
  }

  get waitingSinceMs(): number {
    return this.#sinceMs;
  }

  roomFreed(): void {
    this.#stopWaiting();
    if (this.#sought !== undefined) this.#try();
  }

  /** Starts a container unless one is on its way; one that is still dying tells of its end. */
  #try(): void {
    if (this.#parts.containers.size > 0 || this.#parts.start() !== undefined) return;
    const { env, fleet } = this.#parts;
    const { queueTimeoutMs } = env.config;
    this.#sinceMs = env.clock.nowMs();
    this.#timer ??= env.clock.after(queueTimeoutMs, () => {
      this.settle(deathBy('cancelled', fail('ERR_SCHED_QUEUE_TIMEOUT', [queueTimeoutMs])));
    });
    fleet.waitForRoom(this);
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sinceMs = Infinity;
    this.#parts.fleet.forget(this);
  }
}
