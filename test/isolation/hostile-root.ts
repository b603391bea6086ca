/**
 * A root filesystem like that of every container, with the hostile program among its programs. From a folder of the
 * function's own it could not be run: that is what other attempts show.
 */
import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
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

  /** Adds the program to a copy: over an overlay SELinux refuses what it allows on the file system below. */
  static async create(): Promise<HostileRoot> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TemporaryFolder.create('hostile-root'));
    const root = join(folder.path, 'root');
    await run('cp', ['--archive', '--reflink=auto', await realpath(plainRoot), root]);
    await buildAttack(join(root, ATTACK_PROGRAM));
    stack.move();
    return new HostileRoot(root, folder);
  }

  /** To be called when nothing of it runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
