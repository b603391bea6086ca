import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { detectCgroups } from './cgroup-host.ts';
import { CgroupTree, instances } from './cgroup-tree.ts';

const TRIES_MAX = 200;
const PAUSE_MS = 25;

/**
 * Ends and removes what a predecessor that was killed left: every process in the instance's cgroups, and the cgroups. Mounts,
 * network interfaces and sockets of containers live in their namespaces and go with the processes.
 *
 * @returns how many processes were found.
 */
export async function removeLeftovers(cgroups: CgroupTree): Promise<number> {
  let found = 0;
  for (const name of await cgroups.list()) {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const pids = await cgroups.processes(name);
      if (pids.length === 0) break;
      if (tries === 0) found += pids.length;
      if (!cgroups.kill(name)) {
        pids.forEach(kill);
        cgroups.letDie(name);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await cgroups.remove(name);
  }
  return found;
}

/**
 * Removes what killed runs of an instance that is called `<prefix>-<pid>` left, whose process is gone.
 *
 * @throws ERR_NATIVE_UNSUPPORTED
 */
export async function removeDeadInstances(prefix: string): Promise<void> {
  const host = detectCgroups();
  for (const name of await instances(host)) {
    const [before, pid] = [name.slice(0, prefix.length + 1), name.slice(prefix.length + 1)];
    if (before !== `${prefix}-` || !/^\d+$/.test(pid) || existsSync(`/proc/${pid}`)) continue;
    const cgroups = new CgroupTree(host, name);
    await removeLeftovers(cgroups);
    await cgroups.close();
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

/** A child of this process. */
export interface Child {
  readonly pid: number;
  /** It is not reaped yet. */
  readonly hasEnded: boolean;
}

/** This process's children that run a given program, or were first in a pid namespace and have ended. */
export function childrenOf(program: string): Child[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => childOf(Number(name), program) ?? []);
}

function childOf(pid: number, program: string): Child | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (!status.includes(`\nPPid:\t${process.pid}\n`)) return undefined;
    const running = programOf(pid);
    const isFirst = /^NSpid:\t\d+\t/m.test(status);
    return running === program || (running === undefined && isFirst)
      ? { pid, hasEnded: running === undefined }
      : undefined;
  } catch {
    return undefined; // gone
  }
}

/** @returns undefined when it has ended. */
function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}
