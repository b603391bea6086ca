import { availableParallelism } from 'node:os';
import {
  asHobError,
  type FunctionFailure,
  type FunctionSnapshot,
  type FunctionVersion,
  type HobError,
  type LogLine,
  type Receipt,
} from '@hob/contracts';
import { CallQueue } from './call-queue.ts';
import { claim } from './claim.ts';
import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';
import type { FunctionOwner } from './container-roles.ts';
import { ContainerSource } from './container-source.ts';
import { DeadlineList } from './deadline-list.ts';
import { type Death, deathBy, deathOfStart } from './death.ts';
import type { RoomWaiter } from './fleet.ts';
import type { GroupServices } from './group-services.ts';
import { groupSnapshot } from './group-snapshot.ts';
import type { Invocation, InvocationHost } from './invocation.ts';
import { LoadProof } from './load-proof.ts';
import { LoadTimers } from './load-timers.ts';
import { Pace } from './pace.ts';
import { StartBackoff } from './start-backoff.ts';
import { VersionKeepAlive } from './version-keep-alive.ts';
import { abortGraceMs } from './version-limits.ts';

/** How many of the longest backoffs a version without containers and calls is kept after a failed start. */
const FAILURE_MEMORY_FACTOR = 10;

/**
 * The containers of one version of a function, and the calls that wait for one of them.
 *
 * A waiting call is served by whichever comes first: a container that has room again, or a new one. A new one is started for
 * calls that would wait for as long as that takes. There are never more being started than the waiting calls need, nor more
 * than `maxContainers` in all, dying ones included. Beside them, `minWarm` containers of the live version are kept loaded.
 */
export class VersionGroup implements FunctionOwner, InvocationHost, RoomWaiter {
  readonly version: FunctionVersion;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly hostCores = availableParallelism();
  readonly deadlines: DeadlineList<Invocation>;
  readonly cancelGraces: DeadlineList<Invocation>;
  readonly #services: GroupServices;
  readonly #backoff: StartBackoff;
  readonly #pace = new Pace();
  readonly #source: ContainerSource;
  readonly #waiting: CallQueue;
  /** From the decision to start until nothing is left. */
  readonly #containers = new Set<Container>();
  /** Those on their way to take their first calls. */
  readonly #starting = new Set<Container>();
  /** Until LOADED. */
  readonly #loadTimers: LoadTimers;
  /** Died before they were loaded, nobody knows why yet; and whether they had been sent the code. */
  readonly #undecided = new Map<Container, boolean>();
  /** Loaded or loading ones with room; the last one was used last, and is used next. */
  readonly #available: Container[] = [];
  readonly #keepAlive: VersionKeepAlive;
  readonly #proof: LoadProof;
  #isSuperseded = false; // other versions are in service, and it was not called since
  #retryTimer: Timer | undefined;
  #lookTimer: Timer | undefined;
  #forgetTimer: Timer | undefined;

  constructor(version: FunctionVersion, services: GroupServices) {
    const { env } = services;
    this.version = version;
    this.clock = env.clock;
    this.graceMs = abortGraceMs(version.config, env.config);
    this.deadlines = new DeadlineList(env.clock, version.config.timeoutMs);
    this.cancelGraces = services.cancelGraces;
    this.#services = services;
    this.#source = new ContainerSource(version, services);
    this.#waiting = new CallQueue(env, services.totals, () => this.#source.forget(this));
    this.#backoff = new StartBackoff(env.config);
    const [containers, start] = [this.#containers, () => this.#start()];
    this.#keepAlive = new VersionKeepAlive(services, {
      version,
      containers,
      start,
      hasFailed: () => this.#backoff.hasFailed,
      emptied: () => this.#leaveIfEmpty(),
    });
    this.#proof = new LoadProof({ env, fleet: services.fleet, containers, start });
    this.#loadTimers = new LoadTimers(env.clock, version.config.timeoutMs);
  }

  /** It holds no container and no call, nor is to. */
  get isEmpty(): boolean {
    return this.#containers.size + this.#waiting.size === 0 && !this.#keepAlive.isNeeded && !this.#proof.isSought;
  }

  /** Serves a call, now or later; or refuses it. */
  run(call: Invocation): void {
    this.#isSuperseded = false;
    const container = this.#waiting.size === 0 ? this.#takeAvailable() : undefined;
    if (container !== undefined) return this.#lease(container, call);
    const refusal = this.#waiting.add(call, { slots: this.#slots, isKnown: this.#pace.isKnown });
    if (refusal === undefined) this.#scale();
    else call.refuse(refusal);
  }

  /** Has as many containers loaded, if it can. @returns what the first one died of. Never rejects. */
  prove(wanted: number): Promise<Death | undefined> {
    this.#isSuperseded = false;
    return this.#proof.seek(wanted);
  }

  /** It is in service from now on. */
  goLive(): void {
    this.#isSuperseded = false;
    this.#keepAlive.goLive();
  }

  /**
   * Other versions are in service: containers end as soon as they have no call and none waits.
   *
   * @returns whether it expects a call, which the live version is then to `inherit`.
   */
  supersede(): boolean {
    this.#isSuperseded = true;
    const isExpected = this.#keepAlive.supersede();
    this.#replace(({ callsRunning }) => callsRunning === 0 || this.#waiting.size === 0);
    return isExpected;
  }

  /** What containers are given has changed: those that have it end as soon as they have no call. Waiting calls get new ones. */
  renew(): void {
    this.#replace(() => true);
  }

  /** Loads in advance what a superseded version would have. */
  inherit(): void {
    this.#keepAlive.inherit();
    this.#leaveIfEmpty();
  }

  /**
   * Ends all containers and calls.
   *
   * @param refusal what waiting calls get, and `death` what running ones do.
   */
  async end(refusal: HobError, death: Death): Promise<void> {
    this.#keepAlive.close();
    this.#proof.settle(deathBy('cancelled', refusal));
    for (const call of this.#waiting.takeAll()) call.refuse(refusal);
    for (const timer of [this.#retryTimer, this.#lookTimer, this.#forgetTimer]) timer?.cancel();
    this.#source.forget(this);
    const gone = [...this.#containers].map((container) => container.gone);
    for (const container of this.#containers) {
      container.end(container.callsRunning > 0 ? death : deathBy(death.cause === 'shutdown' ? 'shutdown' : 'replaced'));
    }
    await Promise.all(gone);
  }

  async snapshot(): Promise<FunctionSnapshot> {
    const counts = await groupSnapshot(this.version, this.#containers, this.#waiting.size);
    return { ...counts, keepAlive: this.#keepAlive.snapshot() };
  }

  // For invocations.

  leaveQueue(call: Invocation): void {
    this.#waiting.delete(call);
  }

  explain(failure: FunctionFailure): Promise<FunctionFailure> {
    return this.#services.sourceMaps.explain(this.version.digest, failure);
  }

  log(line: Pick<LogLine, 'invocationId' | 'channel' | 'line'>): void {
    const { name, version } = this.version;
    this.#services.env.observer.log({ timeMs: this.clock.wallMs(), function: name, version, ...line });
  }

  ended(call: Invocation, receipt: Receipt): void {
    if (receipt.outcome === 'ok') this.#pace.served(receipt.runMs);
    this.#services.ended(call, receipt);
  }

  // For containers.

  get canSpare(): boolean {
    return this.#keepAlive.canSpare;
  }

  loaded(container: Container, cacheRejected: boolean): void {
    this.#loadTimers.stop(container);
    this.#backoff.succeeded();
    this.#pace.started(container.startMs);
    this.#proof.loaded();
    const { caches } = this.#services;
    if (cacheRejected) caches.rejected(this.version);
    else caches.want(this.version);
    if (container.callsRunning > 0) return;
    // It was started for a floor that is no more.
    if (container.callsBegun === 0 && this.#isSuperseded) container.retire('replaced');
    else this.#keepAlive.becameIdle(container);
  }

  released(container: Container): void {
    if (this.#services.fleet.takesBack(container, this)) return container.retire('reclaimed');
    this.#serve(container);
    if (this.#isSuperseded && container.callsRunning === 0) container.retire('replaced');
    if (container.state === 'idle') this.#keepAlive.becameIdle(container);
  }

  died(container: Container, death: Death | undefined): void {
    const hadCode = !this.#starting.delete(container);
    this.#loadTimers.stop(container);
    const at = this.#available.indexOf(container);
    if (at >= 0) this.#available.splice(at, 1);
    if (container.wasLoaded) this.#scale();
    else if (death === undefined) this.#undecided.set(container, hadCode);
    else this.#startFailed(container, death, hadCode);
  }

  gone(container: Container, death: Death): void {
    this.#containers.delete(container);
    const hadCode = this.#undecided.get(container);
    this.#undecided.delete(container);
    if (hadCode === undefined) this.#scale();
    else this.#startFailed(container, death, hadCode);
    this.#keepAlive.lost(container, death);
    this.#proof.lost(container, death);
    // A call that it had tells of its own end.
    if (container.diedIdle && death.error.spec.kind === 'function' && death.cause !== 'timeout')
      void this.#report(death);
    this.#leaveIfEmpty();
  }

  // For the fleet.

  get containerCount(): number {
    return this.#containers.size;
  }

  get waitingSinceMs(): number {
    return this.#waiting.sinceMs;
  }

  roomFreed(): void {
    this.#scale();
  }

  /** How many calls its containers may serve at the same time, those that start or end counted. */
  get #slots(): number {
    return this.#containers.size * this.version.config.concurrency;
  }

  // Leases.

  #takeAvailable(): Container | undefined {
    for (let top = this.#available.at(-1); top !== undefined; top = this.#available.at(-1)) {
      if (top.hasRoom) return top;
      this.#available.pop();
    }
    return undefined;
  }

  #lease(container: Container, call: Invocation): void {
    this.#services.sweep.wake();
    const frames = call.begin(container.lease(call));
    const [first] = frames;
    container.send(frames.length === 1 && first !== undefined ? first : frames);
    call.sent();
  }

  /** Gives a container with room to waiting calls, and keeps it at hand when it still has room then. */
  #serve(container: Container): void {
    for (const call of this.#waiting.serve(container)) this.#lease(container, call);
    if (container.hasRoom && !this.#available.includes(container)) this.#available.push(container);
  }

  // Starting.

  #scale(): void {
    const { concurrency, maxContainers } = this.version.config;
    if (this.#waiting.size === 0 || this.#containers.size >= maxContainers || this.#isHeldBack()) return;
    const startsMax = maxContainers - this.#containers.size + this.#starting.size;
    const wanted = Math.ceil(this.#countLate(startsMax * concurrency) / concurrency);
    while (this.#starting.size < wanted && this.#containers.size < maxContainers) {
      if (this.#source.isBusy) {
        this.#source.waitForFork(this);
        return;
      }
      if (this.#start() !== undefined) continue;
      this.#source.waitForRoom(this);
      return;
    }
    if (this.#starting.size * concurrency < this.#waiting.size) this.#lookAgain();
  }

  /** How many calls wait for so long, or will, that another container would serve them sooner. */
  #countLate(lateMax: number): number {
    let serving = 0;
    for (const { wasLoaded, isLeaving } of this.#containers) if (wasLoaded && !isLeaving) serving += 1;
    const slots = serving * this.version.config.concurrency;
    return this.#pace.late({ waitedMs: this.#waiting.waitsMs(), lateMax, slots });
  }

  /** Calls may take longer than those before. */
  #lookAgain(): void {
    this.#lookTimer ??= this.clock.after(this.#pace.startMs, () => {
      this.#lookTimer = undefined;
      this.#scale();
    });
  }

  /** After a failed start: waits, or lets the waiting calls share the failure when nothing else could serve them. */
  #isHeldBack(): boolean {
    const nowMs = this.clock.nowMs();
    const waitMs = this.#backoff.waitMs(nowMs);
    if (waitMs === 0) return false;
    const death = this.#backoff.shared(nowMs);
    const isHopeless = [...this.#containers].every(({ state }) => state === 'dead');
    if (death && isHopeless) {
      for (const call of this.#waiting.takeAll()) call.shareDeath(death);
      return true;
    }
    this.#retryTimer ??= this.clock.after(waitMs, () => {
      this.#retryTimer = undefined;
      this.#scale();
    });
    return true;
  }

  #replace(isToGo: (container: Container) => boolean): void {
    for (const container of this.#containers) {
      if (!this.#starting.has(container) && isToGo(container)) container.retire('replaced');
    }
    this.#scale();
  }

  /** @returns undefined when there is no room for another container on this host. */
  #start(): Container | undefined {
    const container = this.#source.take();
    if (container === undefined) return undefined;
    container.owner = this;
    this.#containers.add(container);
    this.#starting.add(container);
    void this.#bring(container);
    return container;
  }

  /** Makes a container of the pool, or a new one, the version's, and gives it to the waiting calls. Never rejects. */
  async #bring(container: Container): Promise<void> {
    try {
      const frames = await claim(container, this.version, this, { ...this.#services, source: this.#source });
      if (container.state === 'loading') this.#load(container, frames());
    } catch (error) {
      container.end(deathBy('crash', asHobError(error)));
    }
  }

  /** Sends the code and the first calls in one write. */
  #load(container: Container, frames: Buffer[]): void {
    this.#starting.delete(container);
    this.#services.sweep.wake();
    const calls: Invocation[] = [];
    for (const call of this.#waiting.serve(container)) {
      calls.push(call);
      frames.push(...call.begin(container.lease(call)));
    }
    container.send(frames);
    for (const call of calls) call.sent();
    if (container.hasRoom) this.#available.push(container);
    this.#loadTimers.start(container);
  }

  #startFailed(container: Container, death: Death, hadCode: boolean): void {
    const known = deathOfStart(death, hadCode);
    // A call of its own is to find out by itself.
    if (known !== undefined && !this.#keepAlive.isUnasked(container)) this.#backoff.failed(known, this.clock.nowMs());
    if (known?.error.spec.kind === 'platform') {
      const { name, version } = this.version;
      this.#services.env.log.warn({ err: known.error, function: name, version }, 'a start failed');
    }
    this.#scale();
  }

  /** A version that could not be started is remembered for a while, or its next call would start it all over. */
  #leaveIfEmpty(): void {
    if (!this.isEmpty) return;
    if (!this.#backoff.hasFailed) return this.#services.emptied(this);
    this.#forgetTimer ??= this.clock.after(FAILURE_MEMORY_FACTOR * this.#services.env.config.startBackoffMaxMs, () => {
      this.#forgetTimer = undefined;
      if (this.isEmpty) this.#services.emptied(this);
    });
  }

  async #report({ error, failure }: Death): Promise<void> {
    if (failure === undefined) this.log({ invocationId: '', channel: 'platform', line: error.message });
    else this.log({ invocationId: '', channel: 'stderr', line: (await this.explain(failure)).stack });
  }
}
