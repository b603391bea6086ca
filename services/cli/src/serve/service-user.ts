import { readFileSync } from 'node:fs';
import { fail } from '@hob/contracts';
import { driverDefaults } from '@hob/scheduler/launcher';

/** Who serves. */
export interface ServiceUser {
  readonly uid: number;
  readonly gid: number;
}

const NAME = 'hob';
/** Where the host has no user of that name: just below the range that containers' uids are from. */
const UID = driverDefaults.hostUidFirst - 1;

/**
 * The user that serves when root starts hob.
 *
 * @param setting HOB_USER: a name of /etc/passwd or a number, which is then the group's too.
 * @param passwd text of /etc/passwd.
 * @throws ERR_CONFIG_INVALID when there is no such user, or it is root or a container.
 */
export function serviceUser(setting: string | undefined, passwd = readFileSync('/etc/passwd', 'utf8')): ServiceUser {
  const user = setting === undefined ? (named(NAME, passwd) ?? numbered(UID)) : userOf(setting, passwd);
  if (user === undefined) throw refused(`there is no user ${setting} in /etc/passwd; give a number`);
  const { hostUidFirst: first, hostUids } = driverDefaults;
  for (const id of [user.uid, user.gid]) {
    if (id === 0) throw refused('must not be root: the server needs no privilege');
    if (id >= first && id < first + hostUids) throw refused(`must not be from ${first} on: those are containers' own`);
  }
  return user;
}

function userOf(setting: string, passwd: string): ServiceUser | undefined {
  return /^\d+$/.test(setting) ? numbered(Number(setting)) : named(setting, passwd);
}

function numbered(id: number): ServiceUser {
  return { uid: id, gid: id };
}

function named(name: string, passwd: string): ServiceUser | undefined {
  const [, , uid, gid] =
    passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':') ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function refused(problem: string): Error {
  return fail('ERR_CONFIG_INVALID', ['HOB_USER', problem]);
}
