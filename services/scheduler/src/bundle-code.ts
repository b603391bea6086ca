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

/** Functions' code, read once for each bundle and kept as long as there is room. */
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

  /** @throws ERR_SCHED_START_FAILED when the bundle cannot be read. */
  load(digest: string): SharedBytes | Promise<SharedBytes> {
    const kept = this.#kept.get(digest) ?? this.#reading.get(digest);
    if (kept !== undefined) return kept;
    const reading = this.#read(digest).finally(() => this.#reading.delete(digest));
    this.#reading.set(digest, reading);
    return reading;
  }

  async #read(digest: string): Promise<SharedBytes> {
    try {
      const bytes = await readFile(join(this.#bundles.folder(digest), BUNDLE_CODE));
      const code = shared(FrameType.CODE, bytes);
      this.#kept.set(digest, code, code.bytes);
      return code;
    } catch (cause) {
      throw fail('ERR_SCHED_START_FAILED', [`the code of bundle ${digest} cannot be read`], { cause });
    }
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
