import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const CHUNK_BYTES = 64 * 1024;

/** A disk of a test's own, in memory, with a folder for data on it. Disposing unmounts it; end what uses it first. */
export class SmallDisk implements AsyncDisposable {
  readonly #mountPoint: string;

  private constructor(mountPoint: string) {
    this.#mountPoint = mountPoint;
  }

  /** @param megabytes how much fits. */
  static async mount(megabytes: number): Promise<SmallDisk> {
    const mountPoint = await mkdtemp(join(tmpdir(), 'hob-disk-'));
    await chmod(mountPoint, 0o755);
    await execa('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'hob-test', mountPoint]);
    return new SmallDisk(mountPoint);
  }

  /** For data; who uses it makes it. */
  get dataDir(): string {
    return join(this.#mountPoint, 'data');
  }

  /** Takes all room that is left. */
  fill(): void {
    const filler = join(this.#mountPoint, 'filler');
    for (let bytes = CHUNK_BYTES; bytes > 0;) {
      try {
        writeFileSync(filler, Buffer.alloc(bytes), { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        bytes = Math.floor(bytes / 2);
      }
    }
  }

  /** Undoes `fill`. */
  makeRoom(): void {
    rmSync(join(this.#mountPoint, 'filler'));
  }

  /** Whether it can be written to. Nothing may be open for writing when it is to end. */
  async setWritable(isWritable: boolean): Promise<void> {
    await execa('mount', ['-o', `remount,${isWritable ? 'rw' : 'ro'}`, this.#mountPoint]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!existsSync(this.#mountPoint)) return;
    await execa('umount', [this.#mountPoint]);
    await rmdir(this.#mountPoint);
  }
}
