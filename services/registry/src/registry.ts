import { setTimeout as delay } from 'node:timers/promises';
import {
  asHobError,
  BUNDLE_CODE,
  BUNDLE_MAP,
  checkFunctionConfig,
  fail,
  type FunctionConfig,
  type FunctionDirectory,
  type FunctionRecord,
  type FunctionSummary,
  type FunctionVersion,
} from '@hob/contracts';
import type { Logger } from 'pino';
import type { DiskBundleStore } from './disk-bundle-store.ts';
import { FunctionTable, readStoredVersion, type StoredVersion } from './function-table.ts';
import { RedisConnection } from './redis-connection.ts';
import { COUNTERS_KEY, FUNCTIONS_KEY, logsKey, versionsKey } from './redis-keys.ts';

/** Pause after the functions could not be read again although there is a connection. */
const REREAD_PAUSE_MS = 200;

export interface RegistryOptions {
  /** `redis://…`, `rediss://…`, or the absolute path of a socket. */
  readonly redis: string;
  /** Stays the caller's. */
  readonly bundles: DiskBundleStore;
  readonly log: Logger;
}

/** Told of a change to a function. Deploys and removals wait for what it returns, which must not reject. */
export type FunctionListener = (record: FunctionRecord) => Promise<void> | void;

/** KEYS: counters, functions, versions. ARGV: name, stored version. Gives the number of the new version. */
const DEPLOY = `
local version = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('HSET', KEYS[3], version, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], version)
return version`;

/** KEYS: functions, versions, logs. ARGV: name. Gives 0 when there was no such function. */
const REMOVE = `
local found = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return found`;

/**
 * Functions and their versions: Redis is the truth, and a copy in memory answers every question.
 *
 * The copy is filled when the registry is opened, follows each deploy and removal, and is filled anew whenever the connection
 * to Redis was made again: a command that was cut off by its loss may have been done or not.
 */
export class Registry implements FunctionDirectory, AsyncDisposable {
  readonly #connection: RedisConnection;
  readonly #bundles: DiskBundleStore;
  readonly #log: Logger;
  #table = new FunctionTable();
  /** Counts the changes to `#table`, so that a copy read meanwhile is known to be old. */
  #changes = 0;
  /** The connection was made again, and what happened meanwhile is not known yet. */
  #stale = false;
  #isCatchingUp = false;
  #closed = false;
  #listener: FunctionListener = () => undefined;

  private constructor(options: RegistryOptions) {
    this.#connection = new RedisConnection(options.redis, 'registry', options.log);
    this.#bundles = options.bundles;
    this.#log = options.log;
  }

  /** Connects to Redis and reads all of it. @throws ERR_REGISTRY_UNAVAILABLE */
  static async open(options: RegistryOptions): Promise<Registry> {
    const registry = new Registry(options);
    try {
      await registry.#reload();
    } catch (error) {
      await registry.close();
      throw error;
    }
    registry.#connection.onReady(() => {
      registry.#stale = true;
      if (!registry.#isCatchingUp) void registry.#catchUp();
    });
    return registry;
  }

  /** Whether Redis can be reached at this moment. */
  get available(): boolean {
    return this.#connection.isReady;
  }

  /** Whether everything that Redis held when the connection was last made is in memory. */
  get current(): boolean {
    return !this.#stale && !this.#isCatchingUp;
  }

  resolve(name: string, version?: number): FunctionVersion {
    return this.#table.resolve(name, version);
  }

  list(): readonly FunctionSummary[] {
    return this.#table.list();
  }

  describe(name: string): { readonly summary: FunctionSummary; readonly versions: readonly FunctionVersion[] } {
    return this.#table.describe(name);
  }

  /** Tells all functions now, and from now on each one that changes. There is one listener. */
  follow(listener: FunctionListener): void {
    this.#listener = listener;
    for (const { name } of this.list()) void listener(this.#table.record(name));
  }

  /** See FunctionDirectory; also ERR_CONFIG_INVALID. Takes over the bundle that `bundles.add` kept. */
  async deploy(config: FunctionConfig, digest: string): Promise<FunctionVersion> {
    this.#refuseClosed();
    const checked = checkFunctionConfig(config);
    this.#bundles.keep(digest);
    try {
      const stored = await this.#describeBundle(checked, digest);
      const { name } = checked;
      const keys = [COUNTERS_KEY, FUNCTIONS_KEY, versionsKey(name)];
      const version = await this.#connection.run((redis) =>
        redis.eval(DEPLOY, keys.length, ...keys, name, JSON.stringify(stored)),
      );
      const deployed = { name, version: Number(version), ...stored };
      this.#table.add(deployed);
      this.#changes += 1;
      this.#bundles.release(digest); // What `add` kept; the function keeps it from now on.
      await this.#listener(this.#table.record(name));
      return deployed;
    } finally {
      this.#bundles.release(digest);
    }
  }

  async remove(name: string): Promise<void> {
    this.#refuseClosed();
    const keys = [FUNCTIONS_KEY, versionsKey(name), logsKey(name)];
    const found = await this.#connection.run((redis) => redis.eval(REMOVE, keys.length, ...keys, name));
    const versions = this.#table.remove(name);
    this.#changes += 1;
    await this.#listener(this.#table.record(name));
    if (found === 0 && versions.length === 0) throw fail('ERR_FN_NOT_FOUND', [name]);
    for (const digest of new Set(versions.map((version) => version.digest))) await this.#dropBundle(digest);
  }

  /** Disconnects. Deploys and removals on their way fail; what is in memory can still be asked for. Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#connection.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseClosed(): void {
    if (this.#closed) throw fail('ERR_SCHED_CLOSED', []);
  }

  async #describeBundle(config: FunctionConfig, digest: string): Promise<StoredVersion> {
    const { files } = await this.#bundles.manifest(digest);
    return {
      digest,
      config,
      bundleBytes: files.reduce((sum, file) => sum + file.bytes, 0),
      hasAssets: files.some((file) => file.path !== BUNDLE_CODE && file.path !== BUNDLE_MAP),
      createdAt: new Date().toISOString(),
    };
  }

  async #dropBundle(digest: string): Promise<void> {
    if (this.#table.uses(digest)) return;
    await this.#bundles.remove(digest).catch((error: unknown) => {
      this.#log.warn({ err: error, digest }, 'a bundle that no function uses could not be removed');
    });
  }

  /** Reads until it has all that there was when the connection was last made, or there is none. Never rejects. */
  async #catchUp(): Promise<void> {
    this.#isCatchingUp = true;
    while (this.#stale && this.available && !this.#closed) {
      this.#stale = false;
      try {
        await this.#reload();
      } catch (error) {
        this.#stale = true;
        const err = asHobError(error);
        this.#log.warn({ err }, 'the functions could not be read again; going on with those in memory');
        await delay(REREAD_PAUSE_MS, undefined, { ref: false });
      }
    }
    this.#isCatchingUp = false;
  }

  /** Reads until nothing was changed meanwhile. */
  async #reload(): Promise<void> {
    let changes: number;
    let table: FunctionTable;
    do {
      changes = this.#changes;
      table = await this.#read();
    } while (changes !== this.#changes);
    const before = this.#table.list();
    this.#table = table;
    this.#changes += 1;
    const names = new Set([...before, ...table.list()].map(({ name }) => name));
    for (const name of names) void this.#listener(table.record(name));
  }

  async #read(): Promise<FunctionTable> {
    const live = await this.#connection.run((redis) => redis.hgetall(FUNCTIONS_KEY));
    const table = new FunctionTable();
    for (const [name, version] of Object.entries(live)) {
      const stored = await this.#connection.run((redis) => redis.hgetall(versionsKey(name)));
      table.set(this.#readVersions(name, stored), Number(version));
    }
    return table;
  }

  #readVersions(name: string, stored: Readonly<Record<string, string>>): FunctionVersion[] {
    return Object.entries(stored).flatMap(([version, json]) => {
      try {
        return [readStoredVersion(name, Number(version), json)];
      } catch (error) {
        this.#log.error({ err: error, function: name, version }, 'a stored version cannot be read; it is left out');
        return [];
      }
    });
  }
}
