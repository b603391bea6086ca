/**
 * A root filesystem like that of every container, with the hostile program among its programs. From a folder of the
 * function's own it could not be run: that is what other attempts show.
 */
import { execFile } from 'node:child_process';
import { realpath, rm } from 'node:fs/promises';
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
  readonly #owned: AsyncDisposableStack;

  private constructor(path: string, owned: AsyncDisposableStack) {
    this.path = path;
    this.#owned = owned;
  }

  /** Adds the program to a copy; in a guest, which copies slowly, to the root itself: that is on a disk of the guest's own. */
  static async create(): Promise<HostileRoot> {
    await using owned = new AsyncDisposableStack();
    const plain = await realpath(plainRoot);
    const root = process.env['HOB_TEST_GUEST'] === undefined ? await copy(plain, owned) : plain;
    const program = join(root, ATTACK_PROGRAM);
    await buildAttack(program);
    owned.defer(() => rm(program));
    return new HostileRoot(root, owned.move());
  }

  /** To be called when nothing of it runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** Not an overlay: over one SELinux refuses what it allows on the file system below. */
async function copy(root: string, owned: AsyncDisposableStack): Promise<string> {
  const folder = owned.use(await TemporaryFolder.create('hostile-root'));
  const made = join(folder.path, 'root');
  await run('cp', ['--archive', '--reflink=auto', root, made]);
  return made;
}
