import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FrameType, type FunctionVersion, memoryClassMb } from '@hob/contracts';
import { type BundleCode, type SharedBytes, shared } from './bundle-code.ts';
import { ByteLru } from './byte-lru.ts';
import type { CacheCompiler } from './cache-compiler.ts';
import type { Environment } from './environment.ts';

/** What is known of a cache: nothing yet, not there, being made, there, or refused by V8 even when it was new. */
type Status = 'absent' | 'making' | 'there' | 'unusable';

const SUFFIX = '.v8';
const NAME = /^(?<digest>[0-9a-f]{64})-[\w.-]+\.v8$/;

/**
 * V8 code caches of large bundles, one file for each bundle, runtime and memory class. They are made in the background,
 * one after the other, and are there from a later start on. A cache that V8 refuses, as after an update of Node, is made
 * again once.
 */
export class CodeCaches {
  readonly #env: Environment;
  readonly #folder: string;
  readonly #code: BundleCode;
  readonly #compiler: CacheCompiler;
  readonly #kept: ByteLru<SharedBytes>;
  readonly #status = new Map<string, Status>();
  readonly #remade = new Set<string>();
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** @param folder absolute path; made when it is needed. */
  constructor(env: Environment, folder: string, code: BundleCode, compiler: CacheCompiler) {
    this.#env = env;
    this.#folder = folder;
    this.#code = code;
    this.#compiler = compiler;
    this.#kept = new ByteLru(env.config.codeBytesMax);
  }

  /** The cache for a start of this version, when there is one by now. Never rejects. */
  find(version: FunctionVersion): SharedBytes | undefined | Promise<SharedBytes | undefined> {
    if (!this.#isWanted(version)) return undefined;
    const key = keyOf(version);
    const status = this.#status.get(key);
    if (status !== undefined && status !== 'there') return undefined;
    return this.#kept.get(key) ?? this.#read(key);
  }

  /** Makes a version's cache in the background, unless it is there or cannot be. */
  want(version: FunctionVersion): void {
    if (!this.#isWanted(version) || this.#isClosed) return;
    const status = this.#status.get(keyOf(version));
    if (status !== undefined && status !== 'absent') return;
    this.#last = this.#last.then(() => this.#make(version));
  }

  /** V8 refused the cache that `find` gave. */
  rejected(version: FunctionVersion): void {
    const key = keyOf(version);
    if (this.#status.get(key) !== 'there') return;
    this.#kept.delete(key);
    this.#status.set(key, this.#remade.has(key) ? 'unusable' : 'absent');
    this.#remade.add(key);
    this.#last = this.#last.then(async () => {
      await rm(this.#path(key), { force: true }).catch((error: unknown) => this.#warn(key, error));
      await this.#make(version);
    });
  }

  /** Removes the caches of bundles that exist no more. */
  prune(): void {
    this.#last = this.#last.then(async () => {
      for (const name of await readdir(this.#folder).catch(() => [])) {
        const digest = NAME.exec(name)?.groups?.['digest'];
        const isLost = digest === undefined ? name.endsWith('.tmp') : !(await exists(this.#code.folder(digest)));
        if (isLost)
          await rm(join(this.#folder, name), { force: true }).catch((error: unknown) => this.#warn(name, error));
      }
    });
  }

  /** Makes no more. Resolved when the last one is done. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#last;
  }

  #isWanted(version: FunctionVersion): boolean {
    return version.bundleBytes >= this.#env.config.codeCacheMinBytes;
  }

  async #read(key: string): Promise<SharedBytes | undefined> {
    try {
      const cache = shared(FrameType.CACHE, await readFile(this.#path(key)));
      this.#kept.set(key, cache, cache.bytes);
      this.#status.set(key, 'there');
      return cache;
    } catch {
      this.#status.set(key, 'absent'); // not made yet, as a rule
      return undefined;
    }
  }

  /** Never rejects. */
  async #make(version: FunctionVersion): Promise<void> {
    const key = keyOf(version);
    if (this.#isClosed) return;
    if (!this.#status.has(key)) await this.#read(key);
    if (this.#status.get(key) !== 'absent' || !this.#compiler.isPossible) return;
    this.#status.set(key, 'making');
    try {
      const code = await this.#code.load(version);
      if (code.bytes < this.#env.config.codeCacheMinBytes) {
        this.#status.set(key, 'unusable');
        return;
      }
      const { runtime, memoryMb } = version.config;
      const bytes = await this.#compiler.compile(runtime, memoryClassMb(memoryMb), code);
      await this.#write(key, bytes);
      const cache = shared(FrameType.CACHE, bytes);
      this.#kept.set(key, cache, cache.bytes);
      this.#status.set(key, 'there');
    } catch (error) {
      this.#status.set(key, 'unusable');
      if (!this.#isClosed) this.#warn(key, error);
    }
  }

  /** All of it or nothing is there, whenever this process ends. */
  async #write(key: string, bytes: Buffer): Promise<void> {
    const path = this.#path(key);
    const temporary = `${path}.${process.pid}.tmp`;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    try {
      await writeSynced(temporary, bytes);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #path(key: string): string {
    return join(this.#folder, `${key}${SUFFIX}`);
  }

  #warn(key: string, error: unknown): void {
    this.#env.log.warn({ err: error, cache: key }, 'a code cache could not be made');
  }
}

/** V8's flags are part of what a cache depends on, and they differ between memory classes. */
function keyOf({ digest, config }: FunctionVersion): string {
  return `${digest}-${config.runtime}-${memoryClassMb(config.memoryMb)}`;
}

async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'w', 0o600);
  await file.writeFile(bytes);
  await file.sync();
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
