import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BUNDLE_CODE,
  type CompilePayload,
  encodeChunks,
  encodeJson,
  fail,
  FrameType,
  type FunctionVersion,
} from '@hob/contracts';
import { ByteLru } from './byte-lru.ts';

/** Where the bundles are. */
export interface BundleFolders {
  /** Absolute path of a bundle's folder. */
  folder(digest: string): string;
  /**
   * @param code what was read of the bundle's code; undefined when it is missing.
   * @returns what of the bundle is not what was deployed; undefined when nothing is.
   */
  findDamage(digest: string, code: Uint8Array | undefined): Promise<string | undefined>;
}

/** Bytes that are sent to many containers: encoded once. */
export interface SharedBytes {
  readonly bytes: number;
  /** The frames that carry them, on stream 0. */
  readonly frames: readonly Buffer[];
}

/** What a container is sent to load a version. */
export interface LoadBytes {
  readonly code: SharedBytes;
  readonly cache: SharedBytes | undefined;
}

/** Where the values of functions' secrets are. */
export interface SecretSource {
  /** What a version gets as environment variables. @throws ERR_FN_LOAD_FAILED when one of them is not set. */
  env(version: FunctionVersion): Readonly<Record<string, string>>;
}

/** What the code is called inside containers, whether it is mounted there or not. */
const CODE_FILENAME = `/var/task/${BUNDLE_CODE}`;

/** A bundle is not what was deployed. */
class Damage extends Error {}

/** Functions' code, checked and read once for each bundle and kept as long as there is room. */
export class BundleCode {
  readonly #bundles: BundleFolders;
  readonly #kept: ByteLru<SharedBytes>;
  readonly #reading = new Map<string, Promise<SharedBytes>>();

  constructor(bundles: BundleFolders, bytesMax: number) {
    this.#bundles = bundles;
    this.#kept = new ByteLru(bytesMax);
  }

  folder(digest: string): string {
    return this.#bundles.folder(digest);
  }

  /** @throws ERR_BUNDLE_DAMAGED when the bundle is not what was deployed, ERR_SCHED_START_FAILED when it cannot be read. */
  load({ name, digest }: Pick<FunctionVersion, 'name' | 'digest'>): SharedBytes | Promise<SharedBytes> {
    return this.#kept.get(digest) ?? this.#readFor(name, digest);
  }

  async #readFor(name: string, digest: string): Promise<SharedBytes> {
    let reading = this.#reading.get(digest);
    if (reading === undefined) {
      reading = this.#read(digest).finally(() => this.#reading.delete(digest));
      this.#reading.set(digest, reading);
    }
    try {
      return await reading;
    } catch (cause) {
      if (cause instanceof Damage) {
        throw fail('ERR_BUNDLE_DAMAGED', [`bundle ${digest} of function "${name}"`, cause.message], { cause });
      }
      throw fail('ERR_SCHED_START_FAILED', [`the code of bundle ${digest} cannot be read`], { cause });
    }
  }

  async #read(digest: string): Promise<SharedBytes> {
    const bytes = await readFile(join(this.#bundles.folder(digest), BUNDLE_CODE)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    const damage = await this.#bundles.findDamage(digest, bytes);
    if (bytes === undefined || damage !== undefined) throw new Damage(damage ?? `there is no ${BUNDLE_CODE}`);
    const code = shared(FrameType.CODE, bytes);
    this.#kept.set(digest, code, code.bytes);
    return code;
  }
}

/** Encodes bytes for many containers. */
export function shared(type: typeof FrameType.CODE | typeof FrameType.CACHE, bytes: Uint8Array): SharedBytes {
  return { bytes: bytes.byteLength, frames: encodeChunks(type, 0, bytes) };
}

/** The frames that make a parked container the version's. @param secrets variables beside those of the configuration. */
export function claimFrames(
  version: FunctionVersion,
  { code, cache }: LoadBytes,
  secrets: Readonly<Record<string, string>>,
): Buffer[] {
  const claim = encodeJson(FrameType.CLAIM, 0, {
    function: version.name,
    version: version.version,
    memoryMb: version.config.memoryMb,
    filename: CODE_FILENAME,
    env: { ...version.config.env, ...secrets },
    codeBytes: code.bytes,
    cacheBytes: cache?.bytes ?? 0,
  });
  return [claim, ...(cache?.frames ?? []), ...code.frames];
}

/** The frames that ask a parked container for a code cache. */
export function compileFrames(code: SharedBytes): Buffer[] {
  const payload: CompilePayload = { filename: CODE_FILENAME, codeBytes: code.bytes };
  return [encodeJson(FrameType.COMPILE, 0, payload), ...code.frames];
}
