import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail } from '@hob/contracts';
import type { ServiceUser } from './service-user.ts';

const READ = 4;
const SEARCH = 1;

/**
 * Looks whether a user may read a program of this repository, as it is when the repository was made with a usual umask. That
 * the folders above the repository are closed does no harm: see native/programs/hob-drop.c.
 *
 * @param top the repository.
 * @param program a file in it, with an absolute path.
 * @throws ERR_NATIVE_UNSUPPORTED with what to do.
 */
export function refuseClosedCode(top: string, program: string, user: ServiceUser): void {
  let path = program;
  let wanted = READ;
  while (path.length >= top.length) {
    if (!allows(path, wanted, user)) {
      throw fail('ERR_NATIVE_UNSUPPORTED', [
        `${path} is closed to user ${user.uid}, who is to serve`,
        `run: chmod -R go+rX ${top}`,
      ]);
    }
    path = dirname(path);
    wanted = READ | SEARCH;
  }
}

function allows(path: string, wanted: number, user: ServiceUser): boolean {
  const { uid, gid, mode } = statSync(path);
  const bits = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode;
  return (bits & wanted) === wanted;
}
