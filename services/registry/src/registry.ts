import { setTimeout as delay } from 'node:timers/promises';
import {
  type AliasChange,
  asHobError,
  BUNDLE_CODE,
  BUNDLE_MAP,
  checkFunctionConfig,
  fail,
  type FunctionAlias,
  type FunctionConfig,
  type FunctionDirectory,
  type FunctionRecord,
  type FunctionSummary,
  type FunctionVersion,
  LIVE_ALIAS,
} from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import type { Logger } from 'pino';
import type { DiskBundleStore } from './disk-bundle-store.ts';
import { FunctionTable, readStoredVersion, type StoredVersion } from './function-table.ts';
import { RedisConnection } from './redis-connection.ts';
import { type RegistryKeys, registryKeys } from './redis-keys.ts';
import { DEPLOY, PRUNE, REMOVE, SET_ALIAS } from './registry-scripts.ts';
import { changed, readStoredAlias, rolledBack, type StoredAlias, WHOLE_WEIGHT } from './stored-alias.ts';

const VERSIONS_KEPT_DEFAULT = 10;
/** Pause after the functions could not be read again although there is a connection. */
const REREAD_PAUSE_MS = 200;

export interface RegistryOptions {
  readonly redis: RedisTarget;
  /** Stays the caller's. */
  readonly bundles: DiskBundleStore;
  /** How many of the last versions of a function stay, whether an alias names them or not. */
  readonly versionsKept?: number;
  readonly log: Logger;
}

/** Told of a change to a function. Whoever changes it waits for what it returns, which must not reject. */
export type FunctionListener = (record: FunctionRecord) => Promise<void> | void;

/**
 * Functions and their versions: Redis is the truth, and a copy in memory answers every question.
 *
 * The copy is filled when the registry is opened, follows each deploy and removal, and is filled anew whenever the connection
 * to Redis was made again: a command that was cut off by its loss may have been done or not, and another server may have less.
 */
export class Registry implements FunctionDirectory, AsyncDisposable {
  readonly #connection: RedisConnection;
  readonly #keys: RegistryKeys;
  readonly #bundles: DiskBundleStore;
  readonly #versionsKept: number;
  readonly #log: Logger;
  #table = new FunctionTable();
  /** `name@version` of those whose deploys are not over. */
  readonly #unsettled = new Set<string>();
  /**
   * The highest number of each function that this process has seen. A Redis that lost its last writes, as a replica in the place of
   * its master may have, would give them again.
   */
  readonly #given = new Map<string, number>();
  /** Counts the changes to `#table`, so that a copy read meanwhile is known to be old. */
  #changes = 0;
  /** The connection was made again, and what happened meanwhile is not known yet. */
  #stale = false;
  #isCatchingUp = false;
  #closed = false;
  #listener: FunctionListener = () => undefined;

  private constructor(options: RegistryOptions) {
    this.#connection = new RedisConnection(options.redis, 'registry', options.log);
    this.#keys = registryKeys(options.redis);
    this.#bundles = options.bundles;
    this.#versionsKept = options.versionsKept ?? VERSIONS_KEPT_DEFAULT;
    this.#log = options.log;
  }

  /** Connects to Redis, which `prepareRedis` has seen, and reads all of it. @throws ERR_REGISTRY_UNAVAILABLE */
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

  /** Whether Redis can be reached, and answers within two seconds. */
  get available(): boolean {
    return this.#connection.isAnswering;
  }

  /** Whether there is a connection, and everything that Redis held when it was made is in memory. */
  get current(): boolean {
    return this.#connection.isReady && !this.#stale && !this.#isCatchingUp;
  }

  resolve(name: string, qualifier?: number | string, headers?: readonly string[]): FunctionVersion {
    return this.#table.resolve(name, qualifier, headers);
  }

  inService(name: string): readonly FunctionVersion[] {
    return this.#table.inService(name);
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

  /** See FunctionDirectory; also ERR_CONFIG_INVALID. Takes over the bundle that `bundles.add` kept, also when it fails. */
  async deploy(config: FunctionConfig, digest: string): Promise<FunctionVersion> {
    try {
      this.#refuseClosed();
      const checked = checkFunctionConfig(config);
      const stored = await this.#describeBundle(checked, digest);
      const { name } = checked;
      const keys = [this.#keys.counters, this.#keys.functions, this.#keys.versions(name)];
      const version = await this.#connection.run((redis) =>
        redis.eval(DEPLOY, keys.length, ...keys, name, JSON.stringify(stored), this.#given.get(name) ?? 0),
      );
      const deployed = { name, version: Number(version), ...stored };
      this.#note(name, deployed.version);
      this.#unsettled.add(`${name}@${deployed.version}`);
      this.#table.add(deployed);
      this.#changes += 1;
      await this.#listener(this.#table.record(name));
      return deployed;
    } finally {
      // What `add` kept: a version of it keeps it from now on. Whether there is one that Redis could not tell of, `collect` waits to learn.
      this.#bundles.release(digest);
    }
  }

  async settle({ name, version }: Pick<FunctionVersion, 'name' | 'version'>): Promise<void> {
    this.#unsettled.delete(`${name}@${version}`);
    try {
      const keys = [this.#keys.versions(name), this.#keys.aliases(name)];
      const unsettled = [...this.#unsettled].filter((each) => each.startsWith(`${name}@`));
      const numbers = unsettled.map((each) => each.slice(name.length + 1));
      const pruned = await this.#connection.run((redis) =>
        redis.eval(PRUNE, keys.length, ...keys, this.#versionsKept, ...numbers),
      );
      this.#table.prune(name, new Set(pruned as number[]));
      this.#changes += 1;
      await this.#listener(this.#table.record(name));
    } catch (error) {
      this.#log.warn({ err: asHobError(error), function: name }, 'old versions could not be removed');
    }
  }

  promote(name: string, version: number): Promise<FunctionAlias> {
    return this.#changeAlias(name, LIVE_ALIAS, (before) => {
      if (before?.weights.some((lived) => lived.version > version)) return before;
      return changed(LIVE_ALIAS, before, { weights: [{ version, weight: WHOLE_WEIGHT }] });
    });
  }

  setAlias(name: string, alias: string, change: AliasChange): Promise<FunctionAlias> {
    return this.#changeAlias(name, alias, (before) => changed(alias, before, change));
  }

  rollback(name: string): Promise<FunctionAlias> {
    return this.#changeAlias(name, LIVE_ALIAS, (before) => {
      const versions = new Set(this.describe(name).summary.versions);
      const back = before && rolledBack(before, (version) => versions.has(version));
      if (back === undefined) throw fail('ERR_FN_NO_PREVIOUS', [name]);
      return back;
    });
  }

  async removeAlias(name: string, alias: string): Promise<void> {
    if (alias === LIVE_ALIAS) throw fail('ERR_API_BAD_REQUEST', ['the alias "live" cannot be removed']);
    await this.#changeAlias(name, alias, (before) => {
      if (before === undefined) throw fail('ERR_FN_ALIAS_NOT_FOUND', [name, alias]);
      return undefined;
    });
  }

  async remove(name: string): Promise<void> {
    this.#refuseClosed();
    const keys = [this.#keys.functions, this.#keys.versions(name), this.#keys.aliases(name), this.#keys.logs(name)];
    const found = await this.#connection.run((redis) => redis.eval(REMOVE, keys.length, ...keys, name));
    const versions = this.#table.remove(name);
    this.#changes += 1;
    await this.#listener(this.#table.record(name));
    if (found === 0 && versions.length === 0) throw fail('ERR_FN_NOT_FOUND', [name]);
    for (const digest of new Set(versions.map((version) => version.digest))) await this.#dropBundle(digest);
  }

  /**
   * Removes the bundles that no version is made of, nobody keeps, and `isInUse` does not say are used. Does nothing while
   * what is in memory may be old.
   */
  async collect(isInUse: (digest: string) => boolean): Promise<void> {
    for (const digest of await this.#bundles.digests()) {
      if (this.current && !this.#closed && !isInUse(digest)) await this.#dropBundle(digest);
    }
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

  /**
   * Changes an alias in Redis, then in memory: what `decide` makes of what it is now is written only when it is still that.
   *
   * @param decide gives undefined to remove it, and what it got to leave it as it is.
   */
  async #changeAlias<T extends StoredAlias | undefined>(
    name: string,
    alias: string,
    decide: (before: StoredAlias | undefined) => T,
  ): Promise<T extends StoredAlias ? FunctionAlias : undefined> {
    this.#refuseClosed();
    this.#table.describe(name);
    const keys = [this.#keys.functions, this.#keys.versions(name), this.#keys.aliases(name)];
    for (;;) {
      const before = await this.#connection.run((redis) => redis.hget(this.#keys.aliases(name), alias));
      const stored = before === null ? undefined : readStoredAlias(before);
      const next = decide(stored);
      const text = next === undefined ? '' : next === stored ? (before ?? '') : JSON.stringify(next);
      const versions = next?.weights.map(({ version }) => version) ?? [];
      const found = await this.#connection.run((redis) =>
        redis.eval(SET_ALIAS, keys.length, ...keys, name, alias, before ?? '', text, ...versions),
      );
      if (found === 'changed') continue;
      if (found === 'function') throw fail('ERR_FN_NOT_FOUND', [name]);
      if (found !== 'done') throw fail('ERR_FN_VERSION_NOT_FOUND', [name, String(found)]);
      this.#changes += 1;
      const made = next === undefined ? undefined : aliasOf(alias, next);
      if (made === undefined) this.#table.removeAlias(name, alias);
      else this.#table.setAlias(name, made);
      await this.#listener(this.#table.record(name));
      return made as T extends StoredAlias ? FunctionAlias : undefined;
    }
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
    while (this.#stale && this.#connection.isReady && !this.#closed) {
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
    for (const { name, versions } of table.list()) this.#note(name, versions.at(-1) ?? 0);
    for (const name of names) void this.#listener(table.record(name));
  }

  #note(name: string, version: number): void {
    this.#given.set(name, Math.max(version, this.#given.get(name) ?? 0));
  }

  async #read(): Promise<FunctionTable> {
    const functions = await this.#connection.run((redis) => redis.hkeys(this.#keys.functions));
    const table = new FunctionTable();
    for (const name of functions) {
      const versions = await this.#connection.run((redis) => redis.hgetall(this.#keys.versions(name)));
      const aliases = await this.#connection.run((redis) => redis.hgetall(this.#keys.aliases(name)));
      table.set(this.#readVersions(name, versions), this.#readAliases(name, aliases));
    }
    return table;
  }

  #readAliases(name: string, stored: Readonly<Record<string, string>>): FunctionAlias[] {
    return Object.entries(stored).flatMap(([alias, json]) => {
      try {
        return [aliasOf(alias, readStoredAlias(json))];
      } catch (error) {
        this.#log.error({ err: error, function: name, alias }, 'a stored alias cannot be read; it is left out');
        return [];
      }
    });
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

function aliasOf(name: string, { weights, sticky, updatedAt }: StoredAlias): FunctionAlias {
  return { name, weights, sticky, updatedAt };
}
