import { writeFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { repository } from './hob-server.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const source = join(repository, 'services/queue/test/support/shifted-clock.c');
/** In a mount namespace of its own the program finds a library in /etc that the loader puts before all others; nobody else does. */
const ENTER = 'mount -t overlay hob-test -o "lowerdir=$0:/etc" /etc && exec "$@"';

/** A wall clock for some programs and what they start, containers too, that can be set while they run. The machine's own stays as it is. */
export class JumpingClock implements AsyncDisposable {
  /** What is put before the command of a program, for it to have this clock. */
  readonly command: readonly string[];
  readonly #folder: TemporaryFolder;
  readonly #file: string;
  #shiftMs = 0;

  private constructor(folder: TemporaryFolder, layer: string, file: string) {
    this.#folder = folder;
    this.#file = file;
    this.command = ['unshare', '--mount', 'sh', '-c', ENTER, layer];
  }

  static async create(): Promise<JumpingClock> {
    const folder = await TemporaryFolder.create('clock');
    const library = join(folder.path, 'shifted-clock.so');
    const file = join(folder.path, 'shift');
    const layer = join(folder.path, 'etc');
    await writeFile(file, Buffer.alloc(8));
    const place = `-DSHIFT_FILE="${file}"`;
    await execa('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror', place, '-o', library, source]);
    await mkdir(layer);
    await writeFile(join(layer, 'ld.so.preload'), `${library}\n`);
    // Whoever drops its privileges goes on seeing it.
    for (const path of [folder.path, layer, library]) await chmod(path, 0o755);
    return new JumpingClock(folder, layer, file);
  }

  /** What it shows, ms since the epoch. */
  nowMs(): number {
    return Date.now() + this.#shiftMs;
  }

  /** Sets it, at once for everybody. */
  jump(ms: number): void {
    this.#shiftMs += ms;
    // In place: the file is mapped into the programs.
    writeFileSync(this.#file, new BigInt64Array([BigInt(this.#shiftMs)]), { flag: 'r+' });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#folder[Symbol.asyncDispose]();
  }
}
