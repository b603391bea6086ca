import { readFileSync } from 'node:fs';
import { fail } from '@hob/contracts';

/** Where this host's controllers are mounted. v1 has one tree for each controller (or few), v2 one for all. */
export type CgroupHost =
  | { readonly version: 1; readonly mounts: ReadonlyMap<CgroupController, string> }
  | { readonly version: 2; readonly mount: string; readonly hasIo: boolean };

/** The controllers that hob needs. `cpuacct` and `devices` exist in v1 only. */
const neededControllers = ['cpu', 'cpuacct', 'memory', 'pids', 'devices'] as const;
/** Those that it uses, too, where the host has them: without `blkio` (v2: `io`) there is no limit on block devices. */
const optionalControllers = ['blkio'] as const;
export const cgroupControllers = [...neededControllers, ...optionalControllers] as const;
export type CgroupController = (typeof cgroupControllers)[number];

const remedy = 'mount cgroup v2, or the v1 controllers cpu, cpuacct, memory, pids and devices';

/**
 * Reads from the mount table which cgroup version has the controllers. On a hybrid host v1 has them.
 *
 * @param mountinfo text of /proc/self/mountinfo.
 * @param readControllers gives the text of a v2 mount's cgroup.controllers.
 * @throws ERR_NATIVE_UNSUPPORTED when a controller is in neither.
 */
export function parseCgroupHost(mountinfo: string, readControllers: (mount: string) => string): CgroupHost {
  const mounts = new Map<CgroupController, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4];
    const [type, , options = ''] = after.split(' ');
    if (point === undefined) continue;
    if (type === 'cgroup2') unified ??= point;
    if (type !== 'cgroup') continue;
    for (const name of options.split(',')) {
      const controller = cgroupControllers.find((known) => known === name);
      if (controller !== undefined && !mounts.has(controller)) mounts.set(controller, point);
    }
  }
  if (neededControllers.every((controller) => mounts.has(controller))) return { version: 1, mounts };
  if (unified !== undefined) {
    const offered = readControllers(unified).trim().split(/\s+/);
    if (['cpu', 'memory', 'pids'].every((controller) => offered.includes(controller))) {
      return { version: 2, mount: unified, hasIo: offered.includes('io') };
    }
  }
  throw fail('ERR_NATIVE_UNSUPPORTED', ['the cgroup controllers are missing', remedy]);
}

/** This host's cgroups. @throws ERR_NATIVE_UNSUPPORTED */
export function detectCgroups(): CgroupHost {
  return parseCgroupHost(readFileSync('/proc/self/mountinfo', 'utf8'), (mount) =>
    readFileSync(`${mount}/cgroup.controllers`, 'utf8'),
  );
}
