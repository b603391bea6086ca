import { closeSync, constants, fchownSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { fail } from '@hob/contracts';
import type { ServiceUser } from './service-user.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Gives a data folder that root (or another user) has made to the user that serves, with all files and folders in it.
 * Does nothing when the folder is the user's already.
 *
 * Everything goes by descriptor and no symbolic link is followed, so that nothing outside can be given away: whoever had the
 * folder may have put anything there. The folder itself goes last, so that what was interrupted is done again.
 *
 * @throws ERR_SERVE_HAND_OVER for a file that has other names, perhaps elsewhere; and what the file system gives.
 */
export function handOver(folder: string, user: ServiceUser): void {
  const fd = openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    if (fstatSync(fd).uid !== user.uid) giveFolder(fd, folder, user);
  } finally {
    closeSync(fd);
  }
}

function giveFolder(fd: number, path: string, user: ServiceUser): void {
  for (const entry of readdirSync(`/proc/self/fd/${fd}`, { withFileTypes: true })) {
    // Links and sockets may stay root's: the folder's owner can remove them.
    if (!entry.isDirectory() && !entry.isFile()) continue;
    give(`/proc/self/fd/${fd}/${entry.name}`, `${path}/${entry.name}`, user);
  }
  fchownSync(fd, user.uid, user.gid);
}

function give(place: string, path: string, user: ServiceUser): void {
  const fd = openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) giveFolder(fd, path, user);
    else if (stat.nlink !== 1) throw fail('ERR_SERVE_HAND_OVER', [path, user.uid]);
    else if (stat.isFile()) fchownSync(fd, user.uid, user.gid);
  } finally {
    closeSync(fd);
  }
}
