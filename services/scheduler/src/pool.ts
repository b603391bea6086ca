import { asHobError, type PoolSnapshot } from '@hob/contracts';
import { ClaimHistory } from './claim-history.ts';
import type { Timer } from './clock.ts';
import type { Container } from './container.ts';
import type { ContainerKind } from './container-driver.ts';
import type { ContainerOwner } from './container-roles.ts';
import { type Death, deathBy, quietCauses } from './death.ts';
import type { Environment } from './environment.ts';
import type { Fleet } from './fleet.ts';
import { PoolContainer } from './pool-container.ts';
import { type PoolObservation, wanted } from './pool-target.ts';
import { StartBackoff } from './start-backoff.ts';

/** What a parked container is taken to need until one was looked at, bytes. */
const CONTAINER_BYTES = 8 * 1024 * 1024;
/** So many of the last times to make a container are looked at. */
const CREATE_TIMES = 9;
/** While calls wait for a fork, a pool looks again no sooner than after this, ms. */
const YIELD_MS = 5;

/** Who says how many containers a pool is to keep. */
export interface PoolHost {
  /** How many containers are being forked that calls wait for. */
  readonly coldStarts: number;
  /** A container was claimed, or would have been, and more are wanted now than are aimed at. */
  moreWanted(): void;
}

/**
 * Parked containers of one kind: as many as it is told to aim at. It replaces a claimed one after `poolRefillDelayMs`, so that
 * the call goes first, and makes none while calls wait for forks of their own; after each it rests for as long as it took.
 *
 * Lifecycle: open → closed. A closed pool keeps no container and makes none.
 */
export class Pool implements ContainerOwner {
  readonly #env: Environment;
  readonly #fleet: Fleet;
  readonly #kind: ContainerKind;
  readonly #host: PoolHost;
  readonly #backoff: StartBackoff;
  readonly #claims: ClaimHistory;
  readonly #parked: Container[] = [];
  readonly #creating = new Set<Container>();
  /** The last ones, ms; the newest last. */
  readonly #createTimesMs: number[] = [];
  /** Their median: the first ones wait for a zygote to boot. */
  #createMs = 0;
  #containerBytes = CONTAINER_BYTES;
  #target = 0;
  #refillTimer: Timer | undefined;
  #isClosed = false;

  constructor(env: Environment, parts: { fleet: Fleet; kind: ContainerKind; host: PoolHost }) {
    this.#env = env;
    this.#fleet = parts.fleet;
    this.#kind = parts.kind;
    this.#host = parts.host;
    this.#backoff = new StartBackoff(env.config);
    this.#claims = new ClaimHistory(env.config.poolWindowMs);
  }

  /** It has one that can be claimed, parked or on its way. */
  get hasContainer(): boolean {
    return this.#parked.length + this.#creating.size > 0;
  }

  /** How many it is making now, for itself. */
  get creating(): number {
    return this.#creating.size;
  }

  /** What its parked containers take, bytes. */
  get parkedBytes(): number {
    return this.#parked.length * this.#containerBytes;
  }

  /**
   * Makes or ends containers until it has so many parked, the former in the background.
   *
   * @param delayMs when it may begin to make some.
   */
  aim(target: number, delayMs: number): void {
    this.#target = target;
    this.#trim();
    if (this.#wantsMore()) this.#refillIn(delayMs);
  }

  /**
   * A parked container, now the caller's; or one that is still being forked, when there is no other: it is there sooner than a new
   * one. Undefined when there is neither.
   */
  claim(): Container | undefined {
    const container = this.#parked.pop() ?? this.#handOver();
    // Who finds no room comes again.
    if (container !== undefined || this.#fleet.hasRoom) this.#countClaim();
    this.#refillIn(this.#env.config.poolRefillDelayMs);
    return container;
  }

  /** What its target follows from. */
  observe(): PoolObservation {
    const { poolMin, poolMax, poolParallel, poolRefillDelayMs } = this.#env.config;
    return {
      ...this.#claims.observe(this.#env.clock.nowMs()),
      createMs: this.#createMs,
      refillDelayMs: poolRefillDelayMs,
      parallel: poolParallel,
      min: poolMin,
      max: poolMax,
      target: this.#target,
      containerBytes: this.#containerBytes,
    };
  }

  /** Looks at what a parked container takes. Never rejects. */
  async weigh(): Promise<void> {
    const usage = await this.#parked.at(-1)?.meter.usage();
    // It may have ended meanwhile.
    if (usage !== undefined && usage.memoryBytes > 0) this.#containerBytes = usage.memoryBytes;
  }

  /** Ends what is parked or being made. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#refillTimer?.cancel();
    for (const container of [...this.#parked, ...this.#creating]) container.end(deathBy('shutdown'));
  }

  snapshot(): PoolSnapshot {
    return { ...this.#kind, creating: this.#creating.size, parked: this.#parked.length, ...this.observe() };
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

  /** The one that is being forked for the longest time, for somebody who waits. */
  #handOver(): Container | undefined {
    for (const container of this.#creating) {
      this.#creating.delete(container);
      return container;
    }
    return undefined;
  }

  #countClaim(): void {
    const { poolMax, poolRefillDelayMs } = this.#env.config;
    this.#claims.add(this.#env.clock.nowMs(), poolRefillDelayMs + this.#createMs, poolMax);
    if (wanted(this.observe()) > this.#target) this.#host.moreWanted();
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
    if (!this.#wantsMore()) return;
    const failedMs = this.#backoff.waitMs(this.#env.clock.nowMs());
    const yieldMs = this.#host.coldStarts > 0 ? YIELD_MS : 0;
    if (failedMs > 0 || yieldMs > 0) {
      this.#refillIn(Math.max(failedMs, yieldMs));
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
    const container = new PoolContainer(this.#env, this.#kind);
    container.owner = this;
    this.#creating.add(container);
    this.#fleet.add(container);
    try {
      await container.create();
    } catch (error) {
      // Its owner has counted it.
      this.#env.log.debug({ err: asHobError(error) }, 'no container for the pool');
      return;
    }
    this.#createTimesMs.push(container.meter.createMs);
    if (this.#createTimesMs.length > CREATE_TIMES) this.#createTimesMs.shift();
    this.#createMs = median(this.#createTimesMs);
    this.#backoff.succeeded();
    const isOwn = this.#creating.delete(container);
    if (isOwn && container.state === 'parked') {
      container.idleSinceMs = this.#env.clock.nowMs();
      const { createMs: costMs } = container.meter;
      container.priority = this.#fleet.order.priority({ uses: 1, costMs, sizeBytes: this.#containerBytes });
      this.#parked.push(container);
      this.#trim();
    }
    // As long as it took: however busy the host is, calls get their part of it.
    if (this.#wantsMore()) this.#refillIn(container.meter.createMs);
  }

  /** Ends those over the target, the oldest first; also one whose making began before the target fell. */
  #trim(): void {
    for (const container of this.#parked.slice(0, Math.max(0, this.#parked.length - this.#target))) {
      container.retire('reclaimed');
    }
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
