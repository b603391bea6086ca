import {
  asHobError,
  type DeathCause,
  fail,
  type Frame,
  FLAG_END,
  FrameType,
  type FunctionVersion,
  type SystemCallRules,
} from '@hob/contracts';
import type { ContainerExit, ContainerKind, ContainerProcess } from './container-driver.ts';
import { checkFrame, readCredit, readExit, readFailure, readLoaded, violation } from './container-frames.ts';
import { ContainerMeter, READING_AGE_MS } from './container-meter.ts';
import { ContainerOutput } from './container-output.ts';
import type { CompileOwner, ContainerCall, ContainerOwner, FunctionOwner } from './container-roles.ts';
import { nobody } from './container-roles.ts';
import { checkTransition, type ContainerState } from './container-state.ts';
import { type Death, deathBy, deathByExit, deathByLoad, deathOf, quietCauses } from './death.ts';
import type { Environment } from './environment.ts';
import { Freezer } from './freezer.ts';
import { OpenCalls } from './open-calls.ts';
import { Lease, type LeaseHost, type LeaseStart } from './lease.ts';
import { containerLimits, equip } from './version-limits.ts';

/** Those in which it may take a call. */
const takingStates: ReadonlySet<ContainerState> = new Set(['loading', 'idle', 'frozen', 'busy']);

/**
 * One container from its fork to the removal of its last trace. It serves one version of one function at most.
 *
 *     creating → parked → loading → idle ⇄ busy ──→ dead
 *                     │               ↘ frozen ↗     │
 *                     ╰──→ compiling ────────────────╯
 *
 * - creating: the driver forks it.
 * - parked: it holds no function.
 * - compiling: it makes a code cache, running none of the code, and is then thrown away.
 * - loading: code and the first calls are sent; module initialisation runs.
 * - idle, busy: loaded, without or with calls.
 * - frozen: idle, its processes stopped, so that nothing of the function runs unasked. A call lets them go on first.
 * - dead: it was killed, or ended by itself. Its processes may still be ending: `gone` tells when nothing is left.
 *
 * The first death counts, whatever is found out later.
 */
export class Container implements LeaseHost {
  readonly kind: ContainerKind;
  readonly #seccomp: SystemCallRules | undefined; // of its function: it can be claimed for no other
  /** Resolved when nothing of it is left. Never rejects. */
  readonly gone: Promise<void>;
  readonly meter = new ContainerMeter();
  /** When it last became idle, monotonic ms. */
  idleSinceMs = 0;
  priority = 0; // among idle ones, see `GreedyDual`
  readonly #env: Environment;
  readonly #gone = Promise.withResolvers<void>();
  readonly #calls = new OpenCalls();
  readonly #output: ContainerOutput;
  #state: ContainerState = 'creating';
  #owner: ContainerOwner = nobody;
  #functionOwner: FunctionOwner | undefined;
  #compileOwner: CompileOwner | undefined;
  #process: ContainerProcess | undefined;
  #version: FunctionVersion | undefined;
  #start: 'pool' | 'cold' = 'pool';
  #claimedAtMs = 0;
  #startMs = 0;
  #wasLoaded = false;
  #isCongested = false;
  #freezer: Freezer | undefined;
  /** Why it is to end once its calls are over; no call is added then. */
  #retiring: DeathCause | undefined;
  #death: Death | undefined;
  #diedIdle = false;

  constructor(env: Environment, kind: ContainerKind, seccomp?: SystemCallRules) {
    this.#env = env;
    this.#seccomp = seccomp;
    this.kind = kind;
    this.gone = this.#gone.promise;
    this.#output = new ContainerOutput(env);
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** The version that it serves, since it was loaded with it. */
  get version(): FunctionVersion | undefined {
    return this.#version;
  }

  get callsRunning(): number {
    return this.#calls.size;
  }

  get wasLoaded(): boolean {
    return this.#wasLoaded;
  }

  /** It died while it had no call that could tell of it. */
  get diedIdle(): boolean {
    return this.#diedIdle;
  }

  /** It takes no more calls. */
  get isLeaving(): boolean {
    return this.#state === 'dead' || this.#retiring !== undefined;
  }

  /** It may be ended when its room is needed and it is idle. */
  get isSpare(): boolean {
    return this.#functionOwner?.canSpare ?? true;
  }

  /** From the request for it until it was loaded, ms: what starting another one would take. */
  get startMs(): number {
    return this.#startMs;
  }

  /** How many calls it was given so far. */
  get callsBegun(): number {
    return this.#calls.begun;
  }

  /** More waits to be sent than should. */
  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Who is told from now on what becomes of it. */
  set owner(owner: ContainerOwner) {
    this.#owner = owner;
  }

  /** Whether it takes another call. */
  get hasRoom(): boolean {
    if (this.#retiring !== undefined || !takingStates.has(this.#state)) return false;
    return this.#calls.size < (this.#version?.config.concurrency ?? 0);
  }

  /**
   * Has it forked, until it is parked.
   *
   * @throws ERR_SCHED_START_FAILED, or ERR_SCHED_CLOSED when it was ended meanwhile. It is dead then.
   */
  async create(): Promise<void> {
    try {
      this.#attach(await this.#env.driver.create(this.kind, this.#seccomp));
    } catch (cause) {
      const error = asHobError(cause);
      const death = deathBy('crash', error);
      this.#die(death);
      this.#bury(this.#death ?? death);
      throw error;
    }
    if (this.#state === 'dead') throw fail('ERR_SCHED_CLOSED', []);
  }

  /**
   * Makes a parked one the version's. It is then to be prepared, leased, and sent the CLAIM together with what the leases
   * have to say, in one write.
   */
  claim(version: FunctionVersion, owner: FunctionOwner, start: 'pool' | 'cold'): void {
    this.#become('loading');
    this.#version = version;
    this.#owner = owner;
    this.#functionOwner = owner;
    this.#start = start;
    this.#claimedAtMs = this.#env.clock.nowMs();
    this.meter.claimed(this.#claimedAtMs);
    this.#output.serve(version);
  }

  /**
   * Gives it its version's limits and network, and its files when it has more than code.
   *
   * @throws ERR_NATIVE_SYSCALL, ERR_SCHED_START_FAILED when it is dead
   */
  async prepare(version: FunctionVersion): Promise<void> {
    const process = this.#process;
    if (process === undefined || this.#state === 'dead') throw fail('ERR_SCHED_START_FAILED', ['it has ended']);
    await equip(process, version, { config: this.#env.config, network: this.kind.network });
  }

  /** Has it make a code cache of what `frames` hold. */
  compile(frames: readonly Buffer[], owner: CompileOwner): void {
    this.#become('compiling');
    this.#owner = owner;
    this.#compileOwner = owner;
    this.send(frames);
  }

  /** Adds a call. Only when it `hasRoom`. */
  lease(call: ContainerCall): Lease {
    const stream = this.#calls.open(call);
    if (this.#calls.areUsedUp || this.#version?.config.reuse === 'never') this.#retiring ??= 'reclaimed';
    if (this.#state === 'frozen')
      this.#freezer?.thaw().catch((error: unknown) => this.end(deathBy('crash', asHobError(error))));
    if (this.#state !== 'loading' && this.#state !== 'busy') this.#become('busy');
    return new Lease(this, stream, this.#leaseStart());
  }

  /**
   * Ends it when it has run into a limit of processes or memory and goes on all the same.
   *
   * @param look false: what is known already is enough.
   */
  endIfBreached(look = true): boolean {
    if (this.#state === 'dead') return false;
    if (look) this.meter.look();
    if (this.meter.breach === undefined) return false;
    // Its exit tells the limit.
    this.#die(undefined);
    return true;
  }

  /** A stream is given up: see `Lease.abandon`. */
  abandon(stream: number, cause: DeathCause): void {
    if (!this.#calls.abandon(stream)) return;
    // It would have ended after its calls in any case: now there is more to tell.
    if (this.#retiring !== undefined && quietCauses.has(this.#retiring)) this.#retiring = cause;
    this.retire(cause);
  }

  send(frames: Buffer | readonly Buffer[]): void {
    if (this.#process?.send(frames) === false) this.#isCongested = true;
  }

  /** Ends it once it has no calls, at once when it has none now. */
  retire(cause: DeathCause): void {
    if (this.#state === 'dead') return;
    this.#retiring ??= cause;
    if (this.#calls.size === 0) this.end(deathBy(this.#retiring));
  }

  /** Ends it now, and its calls with the death's error. */
  end(death: Death): void {
    this.#die(death);
  }

  /** Stops its processes until its next call. Only when it is idle. */
  freeze(): void {
    this.#become('frozen');
    this.#freezer?.freeze();
  }

  /** Changes its part of the CPU time. Only while it serves a version. */
  weigh(cpuWeight: number): void {
    if (this.#state === 'dead' || this.#version === undefined) return;
    const limits = { ...containerLimits(this.#version.config, this.#env.config), cpuWeight };
    this.#process?.setLimits(limits).catch(() => undefined); // it ends meanwhile
  }

  #attach(process: ContainerProcess): void {
    this.#process = process;
    this.#freezer = new Freezer(process, this.#env.clock, this.#calls);
    this.meter.attach(process, this.#env.clock.nowMs());
    void process.exited.then((exit) => this.#exited(exit));
    process.events = {
      frame: (frame) => this.#receive(frame),
      output: (channel, line) => this.#output.line(channel, line, this.#calls.soleId()),
      broken: (error) => this.end(deathBy('crash', error)),
      drain: () => this.#drain(),
      closed: () => this.#die(undefined),
      ...this.#output.ofNetwork,
    };
    const { runtime, memoryMb } = this.kind;
    this.#env.observer.containerCreated({ runtime, memoryMb, createMs: this.meter.createMs });
    if (this.#state === 'dead') process.kill();
    else this.#become('parked');
  }

  #become(state: ContainerState): void {
    checkTransition(this.#state, state);
    this.#state = state;
  }

  #receive(frame: Frame): void {
    if (this.#state === 'dead') return;
    try {
      checkFrame(frame, this.#state);
      if (frame.type === FrameType.LOG) this.#takeLog(frame);
      else if (frame.stream === 0) this.#takeOwn(frame);
      else this.#takeOfCall(frame);
    } catch (error) {
      this.end(deathBy('crash', asHobError(error)));
    }
  }

  #takeOwn(frame: Frame): void {
    switch (frame.type) {
      case FrameType.LOADED:
        this.#loaded(readLoaded(frame).cacheRejected);
        return;
      case FrameType.LOAD_FAILED:
        this.end(deathByLoad(readFailure(frame)));
        return;
      case FrameType.CACHE:
        this.#compileOwner?.cache(frame.payload, (frame.flags & FLAG_END) !== 0);
        return;
      case FrameType.EXIT:
        this.end(deathByExit(readExit(frame)));
        return;
      default:
        throw violation(`a call's frame on stream 0`);
    }
  }

  #takeOfCall(frame: Frame): void {
    const call = this.#calls.at(frame.stream);
    if (call === undefined) {
      this.#calls.checkLate(frame);
      return;
    }
    const isLast = (frame.flags & FLAG_END) !== 0;
    this.#freezer?.saysSo();
    if (frame.type === FrameType.BODY) call.body(frame.payload, isLast);
    else if (frame.type === FrameType.CREDIT) call.credit(readCredit(frame));
    else if (this.#isBreached(frame.type)) return;
    else if (frame.type === FrameType.HEAD) call.head(this.#calls.heads.read(frame), isLast);
    else {
      if (frame.type === FrameType.DONE) call.done();
      else call.error(readFailure(frame));
      this.#release(frame.stream, call.id);
    }
  }

  /** Reads the account as a response begins or a call ends. The calls of a shared container need not be told apart. */
  #isBreached(type: FrameType): boolean {
    const isExact = type !== FrameType.DONE && this.#version?.config.concurrency === 1;
    this.meter.read(this.#env.clock.nowMs(), isExact ? 0 : READING_AGE_MS);
    return this.endIfBreached(type === FrameType.ERROR);
  }

  #takeLog(frame: Frame): void {
    this.#output.frame(frame, this.#calls.idOfLog(frame.stream) ?? this.#output.idOfLate(frame.stream));
  }

  #leaseStart(): LeaseStart {
    const { cpuMs } = this.meter;
    if (this.#state !== 'loading') return { kind: 'warm', createMs: 0, claimedAtMs: undefined, cpuMs };
    const createMs = this.#start === 'cold' ? this.meter.createMs : 0;
    return { kind: this.#start, createMs, claimedAtMs: this.#claimedAtMs, cpuMs };
  }

  #loaded(cacheRejected: boolean): void {
    const nowMs = this.#env.clock.nowMs();
    this.#wasLoaded = true;
    this.#startMs = nowMs - this.#claimedAtMs + (this.#start === 'cold' ? this.meter.createMs : 0);
    this.idleSinceMs = nowMs;
    this.#become(this.#calls.size > 0 ? 'busy' : 'idle');
    for (const call of this.#calls) call.loaded(nowMs);
    this.#functionOwner?.loaded(this, cacheRejected);
  }

  #release(stream: number, id: string): void {
    this.#calls.close(stream);
    this.#output.ended(stream, id);
    if (this.#calls.size === 0) {
      this.idleSinceMs = this.#env.clock.nowMs();
      this.meter.idle(this.idleSinceMs);
      this.#become('idle');
    }
    if (this.#retiring !== undefined) this.retire(this.#retiring);
    else this.#functionOwner?.released(this);
  }

  #drain(): void {
    this.#isCongested = false;
    for (const call of this.#calls) call.drain();
  }

  /** @param death undefined when only the exit will tell. */
  #die(death: Death | undefined): void {
    if (this.#state === 'dead') return;
    this.#death = death;
    this.#diedIdle = this.#calls.size === 0;
    this.#become('dead');
    this.#process?.kill();
    this.#owner.died(this, death);
    if (death) for (const call of this.#calls.takeAll()) call.died(death);
  }

  #exited(exit: ContainerExit): void {
    const { memoryMb = this.kind.memoryMb, pids = this.#env.config.pidsMax } = this.#version?.config ?? {};
    const death = this.#death ?? deathOf(exit, { memoryMb, pidsMax: pids });
    if (this.#state !== 'dead') this.#die(death);
    this.#death = death;
    for (const call of this.#calls.takeAll()) call.died(death);
    this.#output.flush();
    const { cpuSeconds } = exit;
    this.#env.observer.containerDied({ function: this.#version?.name ?? '', cause: death.cause, cpuSeconds });
    this.#bury(death);
  }

  #bury(death: Death): void {
    this.#owner.gone(this, death);
    this.#gone.resolve();
  }
}
