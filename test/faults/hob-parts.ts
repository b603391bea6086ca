import { readFileSync } from 'node:fs';
import { descendants, type ProcessSight, serverPid, sightProcess } from '../support/processes.ts';

/** What a whole hob consists of. */
export type HobPart = 'server' | 'launcher' | 'redis' | 'zygote' | 'container';

/**
 * The processes of a part of a hob, as they are now.
 *
 * @param pid of `hob serve`.
 */
export function partsOf(pid: number, part: HobPart): ProcessSight[] {
  if (part === 'launcher') return [sightProcess(pid)].filter((seen) => seen !== undefined);
  const family = descendants(pid);
  if (part === 'server') {
    const server = serverPid(pid);
    return family.filter((seen) => seen.pid === server);
  }
  if (part === 'redis') return family.filter(({ name }) => name === 'redis-server');
  const group = part === 'zygote' ? 'zygote-' : 'c-';
  // In the order of their making, which is the same however often it is looked.
  return family.filter((seen) => cgroupOf(seen.pid).startsWith(group)).toSorted((a, b) => a.pid - b.pid);
}

/** The last part of the name of hob's cgroup that a process is in; '' when it is in none. */
function cgroupOf(pid: number): string {
  try {
    return /\/hob\/[^/\n]+\/([^/\n]+)/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
  } catch {
    return ''; // It has ended.
  }
}
