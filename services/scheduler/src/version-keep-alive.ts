import type { FunctionVersion, KeepAliveSnapshot } from '@hob/contracts';
import type { Container } from './container.ts';
import type { Death } from './death.ts';
import type { GroupServices } from './group-services.ts';
import { type IdleRules, IdleSweep } from './idle-sweep.ts';
import type { CallHistory } from './keep-alive/index.ts';
import { Preloader } from './preloader.ts';
import { WarmFloor } from './warm-floor.ts';

/** The least that a container is taken to need, bytes, while nothing was read. */
const CONTAINER_BYTES_MIN = 1024 * 1024;

/** What a `VersionKeepAlive` knows of its version. */
export interface VersionParts {
  readonly version: FunctionVersion;
  /** Of the version, dying ones included. */
  readonly containers: ReadonlySet<Container>;
  /** Starts one. @returns undefined when it could not. */
  start(): Container | undefined;
  /** No start has succeeded since the last failure. */
  hasFailed(): boolean;
  /** There may be nothing left to wait for. */
  emptied(): void;
}

/**
 * Decides which containers of a version there are beside those that calls need: `minWarm` of the live one, the idle ones, and one
 * that is loaded in advance.
 *
 * The last idle container is kept for as long as the function's calls tell, the others for `keepAliveMs` at most: calls tell when
 * the next one comes, not how many come then. When none is expected for longer than `keepAliveMs`, all go once they would be
 * frozen, and one is loaded before the call. A `keepAliveMs` of the version, or the fixed policy, holds in place of what is
 * learned.
 */
export class VersionKeepAlive implements IdleRules {
  readonly freezeAfterMs: number;
  readonly #services: GroupServices;
  readonly #parts: VersionParts;
  readonly #fixedMs: number | undefined;
  readonly #floor: WarmFloor;
  readonly #idleSweep: IdleSweep;
  readonly #preloader: Preloader;
  /** Other versions are in service: nothing is started in advance. */
  #isSuperseded = false;

  constructor(services: GroupServices, parts: VersionParts) {
    const { clock, config, observer } = services.env;
    const { version, containers } = parts;
    this.freezeAfterMs = config.freezeAfterMs;
    this.#services = services;
    this.#parts = parts;
    this.#fixedMs = version.config.keepAliveMs ?? (config.keepAlivePolicy === 'fixed' ? config.keepAliveMs : undefined);
    this.#floor = new WarmFloor({
      clock,
      config: version.config,
      containers,
      start: () => parts.start() !== undefined,
    });
    this.#idleSweep = new IdleSweep(clock, containers, this);
    this.#preloader = new Preloader({
      clock,
      start: () => this.#preload(),
      told: (outcome) => observer.preloaded({ function: version.name, outcome }),
    });
  }

  /** There is to be a container, now or later, whether calls come or not. */
  get isNeeded(): boolean {
    return this.#floor.min > 0 || this.#preloader.isPlanned;
  }

  get canSpare(): boolean {
    return this.#floor.canSpare;
  }

  goLive(): void {
    this.#isSuperseded = false;
    this.#floor.hold();
  }

  /** @returns whether a call is expected soon that its successor should be loaded for. */
  supersede(): boolean {
    const isExpected = this.#preloader.isPlanned || this.#preloader.isWaiting;
    this.#isSuperseded = true;
    this.#floor.drop();
    this.#preloader.cancel();
    return isExpected;
  }

  /** Its predecessor would be loaded by now, or later. */
  inherit(): void {
    const nowMs = this.#services.env.clock.nowMs();
    const atMs = this.#preloadAtMs;
    if (atMs !== undefined && nowMs < atMs + this.#window.keepAliveMs) this.#preloader.plan(Math.max(atMs - nowMs, 0));
  }

  /** A container is loaded, or has ended its last call. */
  becameIdle(container: Container): void {
    const { fleet } = this.#services;
    this.#preloader.becameIdle(container);
    container.priority = fleet.order.priority({
      uses: Math.max(this.#history.uses, 1),
      costMs: container.startMs,
      sizeBytes: Math.max(container.meter.peakBytes, CONTAINER_BYTES_MIN),
    });
    fleet.makeRoom();
    this.#idleSweep.wake();
  }

  /** It was started in advance, and no call has come to it yet. */
  isUnasked(container: Container): boolean {
    return this.#preloader.isUnasked(container);
  }

  /** Nothing is left of a container. */
  lost(container: Container, death: Death): void {
    this.#floor.lost(container, death);
    this.#preloader.lost(container, death);
    if (this.#parts.containers.size === 0) this.#history.unloaded();
    const waitMs = (this.#preloadAtMs ?? 0) - this.#services.env.clock.nowMs();
    if (waitMs > 0) this.#preloader.plan(waitMs);
  }

  /** Nothing is started any more. */
  close(): void {
    this.supersede();
    this.#idleSweep.close();
  }

  snapshot(): KeepAliveSnapshot {
    return { ...this.#window, isLearned: this.#fixedMs === undefined && this.#history.hasLearned };
  }

  // For the sweep.

  get lookAfterMs(): number {
    return Math.min(this.freezeAfterMs, this.#standardMs);
  }

  keptMin(): number {
    return this.#floor.min;
  }

  keepAliveMs(container: Container, isLast: boolean): number {
    const { preloadAfterMs, keepAliveMs } = this.#window;
    const endMs = preloadAfterMs + keepAliveMs;
    if (this.#letsGo) return 0;
    if (!isLast) return Math.min(this.#standardMs, endMs);
    return container.callsBegun === 0 ? keepAliveMs : endMs;
  }

  get #history(): CallHistory {
    return this.#services.histories.of(this.#parts.version.name);
  }

  get #standardMs(): number {
    return this.#fixedMs ?? this.#services.env.config.keepAliveMs;
  }

  get #window() {
    return this.#fixedMs === undefined ? this.#history.window : { preloadAfterMs: 0, keepAliveMs: this.#fixedMs };
  }

  /** The time without a container is worth the trouble. */
  get #letsGo(): boolean {
    const atMs = this.#preloadAtMs;
    if (atMs === undefined || this.#services.env.clock.nowMs() >= atMs) return false;
    return this.#window.preloadAfterMs > this.#standardMs;
  }

  /** When a container is to be there for the next call, monotonic ms; undefined when none is expected. */
  get #preloadAtMs(): number | undefined {
    const { idleSinceMs } = this.#history;
    const { preloadAfterMs } = this.#window;
    if (idleSinceMs === undefined || preloadAfterMs === 0) return undefined;
    if (this.#isSuperseded || this.#parts.version.config.reuse === 'never') return undefined;
    return idleSinceMs + preloadAfterMs;
  }

  #preload(): Container | undefined {
    const waitMs = (this.#preloadAtMs ?? 0) - this.#services.env.clock.nowMs();
    if (waitMs > 0) {
      // Another version was called meanwhile.
      this.#preloader.plan(waitMs);
      return undefined;
    }
    const started = this.#mayPreload ? this.#parts.start() : undefined;
    if (started === undefined) this.#parts.emptied();
    return started;
  }

  get #mayPreload(): boolean {
    const { containers, version } = this.#parts;
    const { fleet, pools } = this.#services;
    // A call has come meanwhile.
    if (this.#preloadAtMs === undefined || containers.size >= version.config.maxContainers) return false;
    // Where none may be parked, none is to be idle, either.
    if (this.#parts.hasFailed() || fleet.isCrowded || pools.memorySnapshot()?.budgetBytes === 0) return false;
    return [...containers].every(({ state }) => state === 'dead');
  }
}
