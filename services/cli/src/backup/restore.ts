import { chmod, chown, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '@hob/contracts';
import { takeDataFolder } from '../serve/data-folder.ts';
import { flush, notData, ProgramError, unpack } from './archive.ts';

/**
 * Fills a data folder with what `backUp` wrote; it is made when missing. The folder is held meanwhile, and the data comes to its
 * places when all of it is there and on the disk.
 *
 * @param dataDir a folder without data of hob.
 * @throws ERR_SERVE_LOCKED while hob runs; ERR_RESTORE_NOT_EMPTY; ERR_RESTORE_FAILED, such as for a file that `backUp` did not
 *   write, or that is cut off or changed; what the file system gives. No data is in the folder then.
 */
export async function restore(file: string, dataDir: string): Promise<void> {
  await using archive = await open(file, 'r');
  using folder = await takeDataFolder(dataDir);
  const there = (await readdir(folder.path)).find((name) => !(notData as readonly string[]).includes(name));
  if (there !== undefined) throw fail('ERR_RESTORE_NOT_EMPTY', [folder.path, there]);
  // Of root's, "hob serve" gives everything to the user that serves; it looks at the folder's owner only.
  await chown(folder.path, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  await chmod(folder.path, 0o700);
  const restoring = join(folder.path, 'restoring');
  await rm(restoring, { recursive: true, force: true });
  await mkdir(restoring, { mode: 0o700 });
  try {
    await unpack(archive.fd, restoring);
    if (!(await isFolder(join(restoring, 'bundles')))) throw fail('ERR_RESTORE_FAILED', [file, 'it has no bundles']);
    await flush(restoring);
    // Redis is last: without it, there are no functions.
    const names = (await readdir(restoring)).toSorted((a, b) => Number(a === 'redis') - Number(b === 'redis'));
    for (const name of names) await rename(join(restoring, name), join(folder.path, name));
    await flush(folder.path);
  } catch (error) {
    if (error instanceof ProgramError) throw fail('ERR_RESTORE_FAILED', [file, error.message], { cause: error });
    throw error;
  } finally {
    await rm(restoring, { recursive: true, force: true });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
