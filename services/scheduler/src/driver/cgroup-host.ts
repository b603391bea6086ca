import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '@hob/contracts';
import { hostNative } from '@hob/native';

/**
 * Where this host's controllers are mounted. v1 has one tree for each controller (or few), v2 one for all. A hybrid host has
 * besides v1 a v2 tree without controllers, whose groups can be killed, frozen and cloned into all the same. Of a v2 tree it
 * is the folder that hob's own groups go below: see `cgroupBase`.
 */
export type CgroupHost =
  | { readonly version: 1; readonly mounts: ReadonlyMap<CgroupController, string>; readonly unified?: string }
  | { readonly version: 2; readonly mount: string; readonly hasIo: boolean };

/** The controllers that hob needs. `cpuacct` and `devices` exist in v1 only. */
const neededControllers = ['cpu', 'cpuacct', 'memory', 'pids', 'devices'] as const;
/**
 * Those that it uses, too, where the host has them: without `blkio` (v2: `io`) there is no limit on block devices; `freezer`
 * is for hosts without any v2 tree, which freezes without a controller.
 */
const optionalControllers = ['blkio', 'freezer'] as const;
const cgroupControllers = [...neededControllers, ...optionalControllers] as const;
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
  if (neededControllers.every((controller) => mounts.has(controller))) {
    if (unified === undefined) return { version: 1, mounts };
    mounts.delete('freezer');
    return { version: 1, mounts, unified };
  }
  if (unified !== undefined) {
    return { version: 2, mount: unified, hasIo: hasIo(unified, readControllers(unified)) };
  }
  throw fail('ERR_NATIVE_UNSUPPORTED', ['the cgroup controllers are missing', remedy]);
}

/** @throws ERR_NATIVE_UNSUPPORTED when a group of v2 lacks a controller that hob cannot do without. */
function hasIo(folder: string, controllers: string): boolean {
  const offered = controllers.trim().split(/\s+/);
  const missing = ['cpu', 'memory', 'pids'].filter((controller) => !offered.includes(controller));
  if (missing.length === 0) return offered.includes('io');
  throw fail('ERR_NATIVE_UNSUPPORTED', [`${folder} lacks the cgroup controllers ${missing.join(', ')}`, remedy]);
}

/**
 * Where in a v2 tree hob's own groups go: into the group that systemd gave away (Delegate=yes) and this process runs in, or
 * in a child of; else to the top, which on a systemd host is systemd's own.
 *
 * @param mount where the tree is mounted.
 * @param ownCgroups text of /proc/self/cgroup.
 */
export function cgroupBase(mount: string, ownCgroups: string, isDelegated: (folder: string) => boolean): string {
  const own = /^0::(\/.*)$/m.exec(ownCgroups)?.[1] ?? '/';
  const candidates = own === '/' ? [] : [join(mount, own), join(mount, dirname(own))];
  return candidates.find((folder) => folder !== mount && isDelegated(folder)) ?? mount;
}

/**
 * This host's cgroups.
 *
 * @param base where in the v2 tree the groups are, when another process has decided it.
 * @throws ERR_NATIVE_UNSUPPORTED
 */
export function detectCgroups(base?: string): CgroupHost {
  const controllers = (folder: string): string => readFileSync(`${folder}/cgroup.controllers`, 'utf8');
  const host = parseCgroupHost(readFileSync('/proc/self/mountinfo', 'utf8'), controllers);
  const baseIn = (mount: string): string =>
    base ?? cgroupBase(mount, readFileSync('/proc/self/cgroup', 'utf8'), (folder) => hostNative().isDelegated(folder));
  if (host.version === 2) {
    const mount = baseIn(host.mount);
    // Whoever delegated it may have kept some of them.
    return { ...host, mount, hasIo: hasIo(mount, controllers(mount)) };
  }
  return host.unified === undefined ? host : { ...host, unified: baseIn(host.unified) };
}
