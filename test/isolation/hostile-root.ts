/**
 * A root filesystem like that of every container, with the hostile program among its programs. From a folder of the
 * function's own it could not be run: that is what other attempts show.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { buildAttack } from './build.ts';

const run = promisify(execFile);
/** The root of every container. */
const plainRoot = join(import.meta.dirname, '../../.hob/rootfs/current');

/** Where the hostile program is inside. */
export const ATTACK_PROGRAM = '/usr/bin/attack';

export class HostileRoot implements AsyncDisposable {
  readonly path: string;
  readonly #folder: TemporaryFolder;

  private constructor(path: string, folder: TemporaryFolder) {
    this.path = path;
    this.#folder = folder;
  }

  /** Lays the program over the real root, read-only, without copying it. */
  static async create(): Promise<HostileRoot> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TemporaryFolder.create('hostile-root'));
    const [over, root] = [join(folder.path, 'over'), join(folder.path, 'root')];
    await mkdir(join(over, 'usr/bin'), { recursive: true });
    await mkdir(root);
    await buildAttack(join(over, ATTACK_PROGRAM));
    for (const path of [over, join(over, 'usr'), join(over, 'usr/bin')]) await chmod(path, 0o755);
    const lower = `${over}:${await realpath(plainRoot)}`;
    await run('mount', ['-t', 'overlay', 'overlay', '-o', `ro,lowerdir=${lower}`, root]);
    stack.move();
    return new HostileRoot(root, folder);
  }

  /** To be called when nothing of it runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await this.#folder[Symbol.asyncDispose]();
  }
}
