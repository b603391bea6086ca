import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '@hob/contracts';
import { tryLock } from '@hob/native';

/** The data folder of a running server, which no other server may use. */
export interface DataFolder extends Disposable {
  /** Absolute, without links. */
  readonly path: string;
}

/**
 * Takes a data folder, made if need be, readable by its owner only. Disposing gives it back; so does the process's death.
 *
 * @throws ERR_SERVE_LOCKED when another server uses it, and what the file system gives.
 */
export async function takeDataFolder(folder: string): Promise<DataFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await realpath(folder);
  const lockPath = join(path, 'lock');
  const lock = tryLock(lockPath);
  if (lock === undefined) {
    const pid = Number.parseInt(await readFile(lockPath, 'utf8'), 10);
    throw fail('ERR_SERVE_LOCKED', [path, pid]);
  }
  // Only for the message above: the lock itself is the kernel's, and this number may outlive its process.
  await writeFile(lockPath, `${process.pid}\n`);
  return { path, [Symbol.dispose]: () => lock.release() };
}
