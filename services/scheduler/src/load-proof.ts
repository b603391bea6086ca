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
  readonly fleet: Pick<Fleet, 'waitForRoom' | 'forget' | 'isCrowded'>;
  /** Of the version, dying ones included. */
  readonly containers: ReadonlySet<Container>;
  /** Starts one. @returns undefined when there is no room. */
  start(): Container | undefined;
}

/**
 * Finds out whether a version can be loaded, by loading a container of it that no call waits for. Then loads more, one at
 * a time beside the calls of the version that it is to replace, so that those that come after them find as many.
 */
export class LoadProof implements RoomWaiter {
  readonly #parts: LoadProofParts;
  #sought: PromiseWithResolvers<Death | undefined> | undefined;
  #wanted = 1;
  #isProven = false;
  #hasFailed = false;
  #timer: Timer | undefined;
  #sinceMs = Infinity;

  constructor(parts: LoadProofParts) {
    this.#parts = parts;
  }

  get isSought(): boolean {
    return this.#sought !== undefined;
  }

  /**
   * @param wanted how many containers are to be loaded then. Fewer are when `handOverMs` have passed since the first one
   *   was, when there is no room on this host, or when one of them dies.
   * @returns undefined once they are loaded, else what the first one that was started died of. Never rejects.
   */
  seek(wanted: number): Promise<Death | undefined> {
    this.#wanted = wanted;
    if (this.#sought !== undefined) return this.#sought.promise;
    const { promise } = (this.#sought = Promise.withResolvers<Death | undefined>());
    this.#isProven = false;
    this.#hasFailed = false;
    if (this.#countLoaded() > 0) this.loaded();
    else this.#try();
    return promise;
  }

  /** A container is loaded. */
  loaded(): void {
    if (this.#sought === undefined) return;
    if (!this.#isProven) {
      this.#isProven = true;
      this.#stopWaiting();
      this.#timer = this.#parts.env.clock.after(this.#parts.env.config.handOverMs, () => this.settle(undefined));
    }
    const { fleet, containers } = this.#parts;
    const loaded = this.#countLoaded();
    if (loaded >= this.#wanted || fleet.isCrowded) this.settle(undefined);
    else if (loaded === containers.size && this.#parts.start() === undefined) this.settle(undefined);
  }

  /** Nothing is left of one of the containers. */
  lost(container: Container, death: Death): void {
    if (this.#sought === undefined) return;
    if (this.#isProven) return this.settle(undefined);
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

  #countLoaded(): number {
    let loaded = 0;
    for (const { wasLoaded, isLeaving } of this.#parts.containers) if (wasLoaded && !isLeaving) loaded += 1;
    return loaded;
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sinceMs = Infinity;
    this.#parts.fleet.forget(this);
  }
}
