import type { AliasChange, FunctionAlias } from './alias.ts';
import type { HobError } from './hob-error.ts';
import type { FunctionFailure, InvocationRequest, LogChannel, LogLine } from './invoker.ts';
import type { Outcome } from './receipt.ts';
import type { SchedulerSnapshot } from './snapshot.ts';
import type { BundleManifest, FunctionSummary, FunctionVersion } from './version.ts';
import type { FunctionConfig } from './function-config.ts';

/** What the gateway asks of the registry. */
export interface FunctionDirectory {
  /**
   * The version that a call should get, from memory: Redis is not asked, so this works while Redis is away.
   *
   * @param qualifier the number of a version or the name of an alias; undefined for the live one.
   * @param headers of the request, as a flat list with names in lower case: they decide where an alias names several.
   * @throws ERR_FN_NOT_FOUND, ERR_FN_VERSION_NOT_FOUND, ERR_FN_ALIAS_NOT_FOUND, ERR_FN_NOT_LIVE
   */
  resolve(name: string, qualifier?: number | string, headers?: readonly string[]): FunctionVersion;
  list(): readonly FunctionSummary[];
  /** @throws ERR_FN_NOT_FOUND */
  describe(name: string): { readonly summary: FunctionSummary; readonly versions: readonly FunctionVersion[] };
  /**
   * Makes a version of a stored bundle. No alias names it yet. It stays at least until it was told to `settle`.
   *
   * @throws ERR_BUNDLE_INVALID when the bundle is not in the store, ERR_REGISTRY_UNAVAILABLE
   */
  deploy(config: FunctionConfig, digest: string): Promise<FunctionVersion>;
  /**
   * The deploy of a version is over, however it ended. Of the function's older versions those are removed that no alias needs
   * and that are not among the last ones. Never rejects: what it could not do, the next deploy does.
   */
  settle(version: Pick<FunctionVersion, 'name' | 'version'>): Promise<void>;
  /**
   * Makes a version the live one, unless a later one is.
   *
   * @throws ERR_FN_NOT_FOUND, ERR_FN_VERSION_NOT_FOUND, ERR_REGISTRY_UNAVAILABLE
   */
  promote(name: string, version: number): Promise<FunctionAlias>;
  /** Sets or makes an alias. @throws as `promote`; ERR_API_BAD_REQUEST when it cannot be set to that. */
  setAlias(name: string, alias: string, change: AliasChange): Promise<FunctionAlias>;
  /** @throws ERR_FN_NOT_FOUND, ERR_FN_ALIAS_NOT_FOUND, ERR_REGISTRY_UNAVAILABLE; ERR_API_BAD_REQUEST for `live` */
  removeAlias(name: string, alias: string): Promise<void>;
  /**
   * Sets `live` to what it was before it was set last. Again, it goes further back.
   *
   * @throws ERR_FN_NOT_FOUND, ERR_FN_NO_PREVIOUS, ERR_REGISTRY_UNAVAILABLE
   */
  rollback(name: string): Promise<FunctionAlias>;
  /** Every version that an alias of the function names, the live one first. @throws ERR_FN_NOT_FOUND */
  inService(name: string): readonly FunctionVersion[];
  /** Removes a function with all its versions. @throws ERR_FN_NOT_FOUND, ERR_REGISTRY_UNAVAILABLE */
  remove(name: string): Promise<void>;
}

/** All that is known of one function: what a copy of the directory is made of. */
export interface FunctionRecord {
  readonly name: string;
  /** In any order; none when the function was removed. */
  readonly versions: readonly FunctionVersion[];
  readonly aliases: readonly FunctionAlias[];
}

/** A secret as it may be shown. */
export interface SecretNote {
  readonly name: string;
  /** When it was set last, ISO 8601. */
  readonly updatedAt: string;
}

/** What a rotation of the key of all secrets has done. Keys are named by a part of their digest. */
export interface SecretKeyNote {
  /** The key that everything is encrypted with now. */
  readonly key: string;
  /** The key before it; a backup that was made before needs it. */
  readonly former: string;
  /** How many secrets there are. */
  readonly secrets: number;
}

/** Secrets of functions: whoever asks gets their names, and nobody their values but the functions themselves. */
export interface SecretDirectory {
  /** Sorted by name; empty for a function that has none or does not exist. */
  list(functionName: string): readonly SecretNote[];
  /** The secrets that a configuration names and that are not set. */
  missing(config: FunctionConfig): readonly string[];
  /**
   * Sets a secret, of a function that need not exist yet.
   *
   * @throws ERR_API_BAD_REQUEST when it cannot be one, ERR_REGISTRY_UNAVAILABLE
   */
  set(functionName: string, secret: string, value: string): Promise<SecretNote>;
  /** @throws ERR_SECRET_NOT_FOUND, ERR_REGISTRY_UNAVAILABLE */
  remove(functionName: string, secret: string): Promise<void>;
  /** Removes all that a function has. @throws ERR_REGISTRY_UNAVAILABLE */
  removeAll(functionName: string): Promise<void>;
  /**
   * Encrypts all secrets with a new key, at once; functions notice nothing. After an error either the new key or the former one opens
   * them all, and it can be called again.
   *
   * @throws ERR_SECRET_KEY_GIVEN when the key is not hob's to change, ERR_SECRET_DAMAGED, ERR_REGISTRY_UNAVAILABLE, and what the file
   *   system gives.
   */
  rotateKey(): Promise<SecretKeyNote>;
}

/** Content-addressed bundles on disk. */
export interface BundleStore {
  /**
   * Takes in a bundle: files are written to a temporary folder, checked against the manifest, and moved into place in
   * one rename. On any error nothing is left. Of a bundle that is already there, the files that were damaged on disk are replaced.
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
  /** The list of a bundle's files. @throws ERR_BUNDLE_INVALID when the bundle is not in the store, ERR_BUNDLE_DAMAGED */
  manifest(digest: string): Promise<BundleManifest>;
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

/** Why no container of a version could be loaded. */
export interface StartFailure {
  readonly error: HobError;
  /** What the function threw, its stack mapped to the sources. */
  readonly failure: FunctionFailure | undefined;
}

/** How many calls there are. */
export interface CallLoad {
  /** Calls that wait or run now. */
  readonly running: number;
  /** Calls that have begun, ever. */
  readonly started: number;
}

/** Whose calls a version is to take. */
export interface Succession {
  /** Numbers of versions of the same function; it may be among them. */
  readonly versions: readonly number[];
  /** Its part of their calls: above 0, at most 1. */
  readonly share: number;
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
  /**
   * Loads a container of a version, unless one is loaded, and keeps it as one that has served a call. Then, within
   * `handOverMs` and as there is room, as many as the calls use that it is to take.
   *
   * @returns why none could be loaded; undefined when one was.
   */
  prove(version: FunctionVersion, succession?: Succession): Promise<StartFailure | undefined>;
  /**
   * A version is live, and `others` of the function are named by aliases too: containers of all further versions of the
   * function are replaced once idle.
   */
  replaced(live: FunctionVersion, others?: readonly FunctionVersion[]): void;
  /** What containers of a function are given has changed: those that were given it are replaced once idle. */
  renew(functionName: string): void;
  /** A function is removed: its containers end now, running calls with them. */
  removed(functionName: string): Promise<void>;
}
