import { asHobError, type PoolSnapshot } from '@hob/contracts';
import type { Timer } from './clock.ts';
import { Container } from './container.ts';
import type { ContainerKind } from './container-driver.ts';
import type { ContainerOwner } from './container-roles.ts';
import { type Death, deathBy, quietCauses } from './death.ts';
import type { Environment } from './environment.ts';
import type { Fleet } from './fleet.ts';
import { StartBackoff } from './start-backoff.ts';

/**
 * Parked containers of one kind. It aims at `poolMin` of them, at more, up to `poolMax`, after claims
 * that found none, and at one less again each time that `keepAliveMs` pass.
 *
 * Lifecycle: open → closed. A closed pool keeps no container and makes none.
 */
export class Pool implements ContainerOwner {
  readonly #env: Environment;
  readonly #fleet: Fleet;
  readonly #kind: ContainerKind;
  readonly #backoff: StartBackoff;
  readonly #parked: Container[] = [];
  readonly #creating = new Set<Container>();
  #target: number;
  #refillTimer: Timer | undefined;
  #shrinkTimer: Timer | undefined;
  #isClosed = false;

  constructor(env: Environment, fleet: Fleet, kind: ContainerKind) {
    this.#env = env;
    this.#fleet = fleet;
    this.#kind = kind;
    this.#target = env.config.poolMin;
    this.#backoff = new StartBackoff(env.config);
  }

  /** Fills it as far as it should be, in the background. */
  warm(): void {
    this.#refillIn(0);
  }

  /** A parked container, now the caller's; undefined when there is none. */
  claim(): Container | undefined {
    const container = this.#parked.pop();
    if (container === undefined && this.#target < this.#env.config.poolMax) {
      this.#target += 1;
      this.#shrinkLater();
    }
    this.#refillIn(this.#env.config.poolRefillDelayMs);
    return container;
  }

  /** Ends what is parked or being made. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#refillTimer?.cancel();
    this.#shrinkTimer?.cancel();
    for (const container of [...this.#parked, ...this.#creating]) container.end(deathBy('shutdown'));
  }

  snapshot(): PoolSnapshot {
    return {
      ...this.#kind,
      creating: this.#creating.size,
      parked: this.#parked.length,
      min: this.#env.config.poolMin,
      max: this.#env.config.poolMax,
    };
  }

  died(container: Container): void {
    const at = this.#parked.indexOf(container);
    if (at >= 0) this.#parked.splice(at, 1);
    this.#creating.delete(container);
  }

  gone(_container: Container, death: Death): void {
    if (quietCauses.has(death.cause)) return;
    const nowMs = this.#env.clock.nowMs();
    this.#backoff.failed(death, nowMs);
    this.#env.log.warn({ err: death.error }, 'a container of the pool failed');
    this.#refillIn(this.#backoff.waitMs(nowMs));
  }

  /** Once, in a while: a claimed container's first steps come before making its replacement. */
  #refillIn(delayMs: number): void {
    if (this.#isClosed) return;
    this.#refillTimer ??= this.#env.clock.after(delayMs, () => {
      this.#refillTimer = undefined;
      this.#refill();
    });
  }

  #refill(): void {
    const waitMs = this.#backoff.waitMs(this.#env.clock.nowMs());
    if (waitMs > 0) {
      this.#refillIn(waitMs);
      return;
    }
    while (this.#wantsMore()) void this.#create();
  }

  #wantsMore(): boolean {
    if (this.#isClosed || !this.#fleet.hasRoom || this.#fleet.isCrowded) return false;
    if (this.#creating.size >= this.#env.config.poolParallel) return false;
    return this.#parked.length + this.#creating.size < this.#target;
  }

  async #create(): Promise<void> {
    const container = new Container(this.#env, this.#kind);
    container.owner = this;
    this.#creating.add(container);
    this.#fleet.add(container);
    try {
      await container.create();
    } catch (error) {
      // `gone` has counted it.
      this.#env.log.debug({ err: asHobError(error) }, 'no container for the pool');
      return;
    }
    this.#creating.delete(container);
    if (container.state !== 'parked') return;
    container.idleSinceMs = this.#env.clock.nowMs();
    this.#parked.push(container);
    this.#backoff.succeeded();
    this.#trim();
    this.#refill();
  }

  #shrinkLater(): void {
    this.#shrinkTimer ??= this.#env.clock.after(this.#env.config.keepAliveMs, () => {
      this.#shrinkTimer = undefined;
      if (this.#isClosed || this.#target <= this.#env.config.poolMin) return;
      this.#target -= 1;
      this.#trim();
      this.#shrinkLater();
    });
  }

  /** Also for a container whose making began before the target fell. */
  #trim(): void {
    if (this.#parked.length > this.#target) this.#parked.at(0)?.retire('reclaimed');
  }
}

/** The pools of all kinds in use. */
export class Pools {
  readonly #env: Environment;
  readonly #fleet: Fleet;
  readonly #pools = new Map<string, Pool>();
  #isClosed = false;

  constructor(env: Environment, fleet: Fleet) {
    this.#env = env;
    this.#fleet = fleet;
  }

  /** The pool of a kind; it is filled from its first use on. */
  of(kind: ContainerKind): Pool {
    const key = `${kind.runtime}/${kind.memoryMb}/${kind.network}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new Pool(this.#env, this.#fleet, kind);
      this.#pools.set(key, pool);
      if (this.#isClosed) pool.close();
      else pool.warm();
    }
    return pool;
  }

  close(): void {
    this.#isClosed = true;
    for (const pool of this.#pools.values()) pool.close();
  }

  snapshot(): PoolSnapshot[] {
    return [...this.#pools.values()].map((pool) => pool.snapshot());
  }
}
