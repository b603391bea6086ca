import { existsSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A disk of a test's own, ext4 in a file, that can break under what uses it. Disposing unmounts it; end what uses it first. */
export class BreakableDisk implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param megabytes its size. */
  static async mount(megabytes: number): Promise<BreakableDisk> {
    const folder = await mkdtemp(join(tmpdir(), 'hob-disk-'));
    await chmod(folder, 0o755);
    const disk = new BreakableDisk(folder);
    await mkdir(disk.#mountPoint);
    await execa('/usr/sbin/mke2fs', ['-q', '-t', 'ext4', disk.#image, `${megabytes}m`]);
    await disk.#mount();
    return disk;
  }

  /** For data; who uses it makes it. */
  get dataDir(): string {
    return join(this.#mountPoint, 'data');
  }

  /** The kernel finds an error on it: from now on it takes nothing any more, from those either who have files open for writing. */
  async break(): Promise<void> {
    const { stdout: device } = await execa('findmnt', ['-no', 'SOURCE', this.#mountPoint]);
    writeFileSync(`/sys/fs/ext4/${device.replace('/dev/', '')}/trigger_fs_error`, '1');
  }

  /** It has been repaired. Nothing may use it. */
  async repair(): Promise<void> {
    await execa('umount', [this.#mountPoint]);
    const check = await execa('/usr/sbin/e2fsck', ['-p', this.#image], { reject: false });
    // 1: it found errors, and corrected them.
    if (check.exitCode !== 0 && check.exitCode !== 1) throw new Error(`the disk cannot be repaired: ${check.stdout}`);
    await this.#mount();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!existsSync(this.#mountPoint)) return;
    await execa('umount', [this.#mountPoint]);
    await rmdir(this.#mountPoint);
    await rm(this.#image);
    await rmdir(this.#folder);
  }

  get #image(): string {
    return join(this.#folder, 'image');
  }

  get #mountPoint(): string {
    return join(this.#folder, 'mounted');
  }

  async #mount(): Promise<void> {
    await execa('mount', ['-o', 'loop,errors=remount-ro', this.#image, this.#mountPoint]);
  }
}
