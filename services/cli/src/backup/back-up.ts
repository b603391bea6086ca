import { type FileHandle, lstat, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '@hob/contracts';
import { endLeftovers } from '@hob/registry';
import { takeDataFolder } from '../serve/data-folder.ts';
import { notData, pack, ProgramError } from './archive.ts';

/**
 * Writes all data of a data folder to a new file, readable by its owner only. The folder is held meanwhile, so hob cannot start.
 * When this returns, the file is on the disk. One that is cut off, since this process was killed, is refused by `restore`.
 *
 * @param dataDir a data folder that hob does not serve from.
 * @returns how large the file is, bytes.
 * @throws ERR_SERVE_LOCKED while hob runs; ERR_BACKUP_FAILED, after which there is no file, or the one that was there before.
 */
export async function backUp(dataDir: string, file: string): Promise<number> {
  if (!(await isThere(join(dataDir, 'bundles')))) throw fail('ERR_BACKUP_FAILED', [`${dataDir} has no data of hob`]);
  using folder = await takeDataFolder(dataDir);
  await endLeftovers(join(folder.path, 'redis'));
  for (const entry of await readdir(folder.path, { withFileTypes: true })) {
    if (!entry.isSymbolicLink() || isNoData(entry.name)) continue;
    throw fail('ERR_BACKUP_FAILED', [`${join(folder.path, entry.name)} is a link, and what it names would be missing`]);
  }
  const archive = await create(file);
  try {
    await pack(folder.path, archive.fd);
    await archive.sync();
    return (await archive.stat()).size;
  } catch (error) {
    await rm(file);
    if (error instanceof ProgramError) throw fail('ERR_BACKUP_FAILED', [error.message], { cause: error });
    throw error;
  } finally {
    await archive.close();
  }
}

/** Makes a file that is not there yet. */
async function create(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw fail('ERR_BACKUP_FAILED', [`${file} exists already`], { cause: error });
  }
}

function isNoData(name: string): boolean {
  return (notData as readonly string[]).includes(name);
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
