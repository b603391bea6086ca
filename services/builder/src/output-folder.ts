import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BUNDLE_BYTES_MAX, type BundleFile, fail } from '@hob/contracts';

/** A temporary folder that takes files and lists them. */
export class OutputFolder {
  readonly path: string;
  readonly #files: BundleFile[] = [];
  #bytes = 0;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<OutputFolder> {
    return new OutputFolder(await mkdtemp(join(tmpdir(), 'hob-build-')));
  }

  /** What was written, in the order of writing. */
  get files(): readonly BundleFile[] {
    return this.#files;
  }

  /**
   * Writes a new file.
   *
   * @throws ERR_BUNDLE_INVALID when the path is taken, ERR_BUNDLE_TOO_LARGE when all files together are too large.
   */
  async write(path: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const target = join(this.path, path);
    await mkdir(dirname(target), { recursive: true });
    const handle = await open(target, 'wx').catch((cause: unknown) => {
      throw fail('ERR_BUNDLE_INVALID', [`"${path}" would be in the bundle twice`], { cause });
    });
    await using _closed = handle;
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of content) {
      bytes += chunk.byteLength;
      this.#bytes += chunk.byteLength;
      if (this.#bytes > BUNDLE_BYTES_MAX) throw fail('ERR_BUNDLE_TOO_LARGE', [BUNDLE_BYTES_MAX]);
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    this.#files.push({ path, bytes, sha256: hash.digest('hex') });
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
