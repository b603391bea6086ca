import type { InvocationRequest, LogChannel, LogLine } from './invoker.ts';
import type { Outcome } from './receipt.ts';
import type { SchedulerSnapshot } from './snapshot.ts';
import type { BundleManifest, FunctionSummary, FunctionVersion } from './version.ts';
import type { FunctionConfig } from './function-config.ts';

/** What the gateway asks of the registry. */
export interface FunctionDirectory {
  /**
   * The version that a call should get, from memory: Redis is not asked, so this works while Redis is away.
   *
   * @param version undefined for the live one.
   * @throws ERR_FN_NOT_FOUND, ERR_FN_VERSION_NOT_FOUND
   */
  resolve(name: string, version?: number): FunctionVersion;
  list(): readonly FunctionSummary[];
  /** @throws ERR_FN_NOT_FOUND */
  describe(name: string): { readonly summary: FunctionSummary; readonly versions: readonly FunctionVersion[] };
  /**
   * Makes a version of a stored bundle and makes it live, in one step.
   *
   * @throws ERR_BUNDLE_INVALID when the bundle is not in the store, ERR_REGISTRY_UNAVAILABLE
   */
  deploy(config: FunctionConfig, digest: string): Promise<FunctionVersion>;
  /** Removes a function with all its versions. @throws ERR_FN_NOT_FOUND, ERR_REGISTRY_UNAVAILABLE */
  remove(name: string): Promise<void>;
}

/** Content-addressed bundles on disk. */
export interface BundleStore {
  /**
   * Takes in a bundle: files are written to a temporary folder, checked against the manifest, and moved into place in
   * one rename. On any error nothing is left. A bundle that is already there is only checked for its files' names.
   *
   * @param files yields exactly the manifest's files, in any order.
   * @returns the bundle's digest.
   * @throws ERR_BUNDLE_INVALID, ERR_BUNDLE_TOO_LARGE
   */
  add(
    manifest: BundleManifest,
    files: AsyncIterable<{ readonly path: string; readonly content: AsyncIterable<Uint8Array> }>,
  ): Promise<string>;
  has(digest: string): Promise<boolean>;
  /** Absolute path of a bundle's folder. It exists only if the bundle is in the store. */
  folder(digest: string): string;
}

/** Which lines of a function's log. */
export interface LogChoice {
  /** How many of the last ones. */
  readonly tail: number;
  /** Only those of one channel. */
  readonly channel?: LogChannel | undefined;
}

/** Recent output of functions. */
export interface LogStore {
  /** Never throws and never waits; lines are dropped, and counted, when Redis is away for long. */
  append(line: LogLine): void;
  /** The last `tail` lines, oldest first. @throws ERR_REGISTRY_UNAVAILABLE */
  read(functionName: string, choice: LogChoice): Promise<LogLine[]>;
  /** Lines as they come, until the signal is aborted, after the last `tail` ones. */
  follow(functionName: string, choice: LogChoice, signal: AbortSignal): AsyncIterable<LogLine>;
}

/** One call of a lesson. */
export interface LessonCall {
  readonly request: InvocationRequest;
  /** Undefined when the request `hasBody` is false. */
  readonly body: Uint8Array | undefined;
}

/** What calls of a function taught about it. */
export interface Lesson {
  /** Names of the system calls that its containers made from their forks to their ends; a number for one without a name. */
  readonly systemCalls: readonly string[];
  /** How each call ended, in their order. */
  readonly calls: readonly { readonly status: number | undefined; readonly outcome: Outcome }[];
}

/** How many calls there are. */
export interface CallLoad {
  /** Calls that wait or run now. */
  readonly running: number;
  /** Calls that have begun, ever. */
  readonly started: number;
}

/** What the gateway asks of the scheduler besides invocations. */
export interface SchedulerControl {
  /**
   * Runs calls of one version, one after the other, in a container of their own that no rule of the function's binds and
   * that remembers its system calls. A call that fails is no error. Counted nowhere, but its output is logged.
   *
   * @param signal ends the running call and the lesson.
   * @throws ERR_SCHED_CLOSED, and the signal's reason
   */
  learn(version: FunctionVersion, calls: readonly LessonCall[], signal: AbortSignal): Promise<Lesson>;
  /** Reads CPU and memory from the containers' cgroups: a few microseconds for each container. */
  snapshot(): Promise<SchedulerSnapshot>;
  /** A new version is live: containers of other versions of the function are replaced once idle. */
  replaced(live: FunctionVersion): void;
  /** A function is removed: its containers end now, running calls with them. */
  removed(functionName: string): Promise<void>;
}
