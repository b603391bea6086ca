import {
  type CallLoad,
  fail,
  type FunctionVersion,
  type InvocationHandle,
  type InvocationRequest,
  type InvocationSink,
  type Invoker,
  type Lesson,
  type LessonCall,
  type Observer,
  type SchedulerControl,
  type SchedulerSnapshot,
  type StartFailure,
  StreamTable,
  type Succession,
} from '@hob/contracts';
import type { Logger } from 'pino';
import { BundleCode, type BundleFolders, type SecretSource } from './bundle-code.ts';
import { CacheCompiler } from './cache-compiler.ts';
import { type Clock, systemClock } from './clock.ts';
import { CodeCaches } from './code-cache.ts';
import { type SchedulerConfig, schedulerConfig } from './config.ts';
import type { ContainerDriver } from './container-driver.ts';
import { kindOf } from './container-kind.ts';
import { containersToReplace } from './containers-to-replace.ts';
import { DeadlineList } from './deadline-list.ts';
import { deathBy } from './death.ts';
import type { Environment } from './environment.ts';
import { Fleet } from './fleet.ts';
import type { GroupServices } from './group-services.ts';
import { HostMemory, type MemorySource } from './host-memory.ts';
import { Invocation } from './invocation.ts';
import { CallHistories } from './keep-alive/index.ts';
import { LimitSweep } from './limit-sweep.ts';
import { Pools } from './pools.ts';
import { SourceMaps } from './source-maps.ts';
import { SystemCallLesson } from './system-call-lesson.ts';
import { VersionGroup } from './version-group.ts';

/** A call's headers and URL together, characters: as JSON they fit in a frame, whatever they consist of. */
const HEADERS_CHARS_MAX = 128 * 1024;
const RUNTIME = 'nodejs24.x';

/** What a scheduler is made of. It owns none of it: the driver is to be closed after the scheduler. */
export interface SchedulerOptions {
  readonly driver: ContainerDriver;
  readonly bundles: BundleFolders;
  /** Absolute path of the folder for V8 code caches; made when needed. Nothing else may be in it. */
  readonly cacheFolder: string;
  /** Without it no function has secrets. */
  readonly secrets?: SecretSource;
  readonly observer: Observer;
  readonly log: Logger;
  /** Defaults fill in the rest. */
  readonly config?: Partial<SchedulerConfig>;
  readonly clock?: Clock;
  /** This host's, unless it is given. */
  readonly memory?: MemorySource;
}

/**
 * Runs functions in containers: finds or starts one for each call, bounds them in number and time, and ends them.
 *
 * Lifecycle: open ──close()──▶ draining ──last call ends──▶ closed. `destroy()` ends the calls, then closes. There is no
 * way back, and calls made after the first of either are refused with ERR_SCHED_CLOSED.
 */
export class Scheduler implements Invoker, SchedulerControl, AsyncDisposable {
  readonly #env: Environment;
  readonly #services: GroupServices;
  /** By their numbers: `#started` at their time. */
  readonly #calls = new StreamTable<Invocation>();
  /** By function name, then version. */
  readonly #groups = new Map<string, Map<number, VersionGroup>>();
  readonly #removing = new Set<Promise<void>>();
  readonly #lessons = new Set<Promise<void>>();
  /** Aborted by `close`: lessons are cut short. */
  readonly #ending = new AbortController();
  readonly #drained = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;
  #started = 0;

  /** Starts to fill the pools at once. @throws ERR_CONFIG_INVALID */
  constructor(options: SchedulerOptions) {
    const { driver, bundles, cacheFolder, observer, log } = options;
    const config = schedulerConfig(options.config);
    this.#env = { driver, observer, log, clock: options.clock ?? systemClock, config };
    const fleet = new Fleet(config.containersMax);
    const code = new BundleCode(bundles, config.codeBytesMax);
    const caches = new CodeCaches(this.#env, cacheFolder, code, new CacheCompiler(this.#env, fleet));
    this.#services = {
      env: this.#env,
      fleet,
      sweep: new LimitSweep(this.#env.clock, fleet),
      pools: new Pools(this.#env, fleet, options.memory ?? new HostMemory()),
      code,
      secrets: options.secrets ?? { env: () => ({}) },
      caches,
      sourceMaps: new SourceMaps(bundles, config.sourceMapBytesMax),
      histories: new CallHistories(config),
      cancelGraces: new DeadlineList(this.#env.clock, config.cancelGraceMs),
      totals: { waiting: 0 },
      ended: (call, receipt) => {
        this.#forget(call);
        this.#services.histories.ended(receipt.function, this.#env.clock.nowMs());
        observer.invocationEnded(receipt);
      },
      emptied: (group) => this.#drop(group),
    };
    caches.prune();
    for (const memoryMb of config.poolWarmMb) {
      this.#services.pools.of({ runtime: RUNTIME, memoryMb, network: 'none' });
    }
  }

  invoke(request: InvocationRequest, sink: InvocationSink): InvocationHandle {
    const group = this.#group(request.version);
    const call = new Invocation(request, sink, group);
    call.number = this.#started += 1;
    this.#calls.set(call.number, call);
    this.#services.histories.called(request.version.name, call.times.arrivedAtMs);
    if (this.#closing) call.refuse(fail('ERR_SCHED_CLOSED', []));
    else if (headerChars(request) > HEADERS_CHARS_MAX) {
      call.refuse(fail('ERR_HTTP_HEADERS_TOO_LARGE', [HEADERS_CHARS_MAX]));
    } else group.run(call);
    return call;
  }

  cancel(invocationId: string): boolean {
    for (const call of this.#calls) if (call.id === invocationId && call.stop('cancelled')) return true;
    return false;
  }

  /** How busy it is at this moment. */
  load(): CallLoad {
    return { running: this.#calls.size, started: this.#started };
  }

  async learn(version: FunctionVersion, calls: readonly LessonCall[], signal: AbortSignal): Promise<Lesson> {
    if (this.#closing) throw fail('ERR_SCHED_CLOSED', []);
    const lesson = new SystemCallLesson(version, this.#services);
    const ending = AbortSignal.any([signal, this.#ending.signal]);
    const running = lesson.run(calls, ending);
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    this.#lessons.add(settled);
    try {
      return await running;
    } finally {
      this.#lessons.delete(settled);
    }
  }

  async snapshot(): Promise<SchedulerSnapshot> {
    return {
      pools: this.#services.pools.snapshot(),
      memory: this.#services.pools.memorySnapshot(),
      functions: await Promise.all([...this.#allGroups()].map((group) => group.snapshot())),
      zygotes: this.#env.driver.zygotes(),
    };
  }

  async prove(
    version: FunctionVersion,
    succession: Succession = { versions: [], share: 1 },
  ): Promise<StartFailure | undefined> {
    if (this.#closing) return { error: fail('ERR_SCHED_CLOSED', []), failure: undefined };
    const group = this.#group(version);
    const death = await group.prove(containersToReplace(version, succession, this.#services.fleet));
    if (death === undefined) return undefined;
    const { error, failure } = death;
    return { error, failure: failure && (await group.explain(failure)) };
  }

  replaced(live: FunctionVersion, others: readonly FunctionVersion[] = []): void {
    if (this.#closing) return;
    const inService = [live, ...others];
    const numbers = new Set(inService.map(({ version }) => version));
    let isExpected = false;
    for (const group of this.#groups.get(live.name)?.values() ?? []) {
      if (numbers.has(group.version.version)) continue;
      if (group.supersede()) isExpected = true;
      if (group.isEmpty) this.#drop(group);
    }
    for (const version of inService) {
      if (version.config.seccomp === undefined) this.#services.pools.of(kindOf(version.config));
      this.#services.caches.want(version);
      this.#goLive(version);
    }
    if (isExpected) this.#group(live).inherit();
  }

  /** Tells of the versions that are in service when hob starts. */
  started(inService: readonly FunctionVersion[]): void {
    for (const version of inService) this.#goLive(version);
  }

  renew(functionName: string): void {
    for (const group of this.#groups.get(functionName)?.values() ?? []) group.renew();
  }

  /** Whether calls or containers of any version may read a bundle. */
  usesBundle(digest: string): boolean {
    for (const group of this.#allGroups()) if (group.version.digest === digest) return true;
    for (const { version } of this.#services.fleet) if (version?.digest === digest) return true;
    return false;
  }

  async removed(functionName: string): Promise<void> {
    const groups = [...(this.#groups.get(functionName)?.values() ?? [])];
    this.#groups.delete(functionName);
    this.#services.histories.forget(functionName);
    const notFound = fail('ERR_FN_NOT_FOUND', [functionName]);
    const death = deathBy('cancelled', fail('ERR_CANCELLED', ['the removal of the function']));
    const removing = Promise.all(groups.map((group) => group.end(notFound, death))).then(() => undefined);
    this.#removing.add(removing);
    await removing;
    this.#removing.delete(removing);
  }

  /**
   * Refuses new calls, lets those that wait or run come to their ends, then ends all containers. Resolved when nothing is
   * left. Each call awaits the same end.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** As `close`, but ends waiting and running calls at once, with ERR_SCHED_CLOSED. Also speeds up a `close`. */
  destroy(): Promise<void> {
    const closed = this.close();
    const error = fail('ERR_SCHED_CLOSED', []);
    for (const group of this.#allGroups()) void group.end(error, deathBy('shutdown', error));
    return closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#services.pools.close();
    const madeCaches = this.#services.caches.close();
    this.#ending.abort(fail('ERR_SCHED_CLOSED', []));
    await Promise.all(this.#lessons);
    if (this.#calls.size > 0) await this.#drained.promise;
    const error = fail('ERR_SCHED_CLOSED', []);
    const ended = [...this.#allGroups()].map((group) => group.end(error, deathBy('shutdown', error)));
    // What is left makes code caches.
    for (const container of this.#services.fleet) container.end(deathBy('shutdown', error));
    await Promise.all(ended);
    await Promise.all([this.#services.fleet.gone(), madeCaches, ...this.#removing]);
    this.#services.cancelGraces.clear();
    this.#services.sweep.close();
  }

  #goLive(version: FunctionVersion): void {
    const isKnown = this.#groups.get(version.name)?.has(version.version) === true;
    if (isKnown || (version.config.minWarm ?? 0) > 0) this.#group(version).goLive();
  }

  #group(version: FunctionVersion): VersionGroup {
    let ofName = this.#groups.get(version.name);
    if (ofName === undefined) {
      ofName = new Map();
      this.#groups.set(version.name, ofName);
    }
    let group = ofName.get(version.version);
    if (group === undefined) {
      group = new VersionGroup(version, this.#services);
      ofName.set(version.version, group);
    }
    return group;
  }

  #drop(group: VersionGroup): void {
    const { name, version } = group.version;
    const ofName = this.#groups.get(name);
    if (ofName?.get(version) !== group) return;
    ofName.delete(version);
    if (ofName.size === 0) this.#groups.delete(name);
  }

  #forget(call: Invocation): void {
    this.#calls.delete(call.number);
    if (this.#closing && this.#calls.size === 0) this.#drained.resolve();
  }

  *#allGroups(): Generator<VersionGroup> {
    for (const ofName of this.#groups.values()) yield* ofName.values();
  }
}

function headerChars({ url, method, headers }: InvocationRequest): number {
  let chars = url.length + method.length;
  for (const text of headers) chars += text.length;
  return chars;
}
