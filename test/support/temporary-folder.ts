import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of a test's own, removed with all that is in it when disposed. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param label is part of the folder's name, so that a leftover tells whose it is. */
  static async create(label: string): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(join(tmpdir(), `hob-${label}-`)));
  }

  /** Refuses, rather than delete through it, when something is mounted below the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    if (mounts.includes(` ${this.path}`)) throw new Error(`something is still mounted below ${this.path}`);
    await rm(this.path, { recursive: true, force: true });
  }
}
