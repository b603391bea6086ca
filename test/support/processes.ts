import { readFileSync, readdirSync } from 'node:fs';

/** A process as it was seen once. `pid` and `startTicks` together are never used twice. */
export interface ProcessSight {
  readonly pid: number;
  readonly parentPid: number;
  readonly startTicks: string;
  readonly name: string;
  /** One letter; `Z` is a process that has ended and was not yet waited for. */
  readonly state: string;
}

/** Looks at one process; undefined when there is none. */
export function sightProcess(pid: number): ProcessSight | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name stands in brackets and may itself hold brackets and blanks, so the rest is counted from the last one.
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, parentPid: Number(rest[1]), startTicks: rest[19] ?? '', name, state: rest[0] ?? '' };
}

/** Every process of the host that can be seen. */
function sightProcesses(): ProcessSight[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => sightProcess(Number(pid))).filter((seen) => seen !== undefined);
}

/** The descendants of a process, without itself, in no order. */
export function descendants(pid: number): ProcessSight[] {
  const all = sightProcesses();
  const family = new Set([pid]);
  // A child may stand before its parent in the list, so look until nobody new joins.
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const seen of all) if (family.has(seen.parentPid)) family.add(seen.pid);
  }
  family.delete(pid);
  return all.filter((seen) => family.has(seen.pid));
}

/** Whether that very process, not another of the same number, still runs. */
export function isRunning(sight: ProcessSight): boolean {
  const now = sightProcess(sight.pid);
  return now !== undefined && now.startTicks === sight.startTicks && now.state !== 'Z';
}

/**
 * The half of `hob serve` that serves: the child of the other half, which is root's, that runs the same command.
 *
 * @param pid of `hob serve` as its operator sees it.
 */
export function serverPid(pid: number): number {
  const isServer = (seen: ProcessSight): boolean => seen.parentPid === pid && commandOf(seen.pid).includes('serve');
  const server = descendants(pid).find(isServer);
  if (server === undefined) throw new Error(`process ${pid} has no server`);
  return server.pid;
}

/** The words of the command that a process runs; none when it has ended. */
export function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** A field of /proc/<pid>/status. */
export function statusField(pid: number, name: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
}

/** Sends a signal to a process, which may have ended meanwhile. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
