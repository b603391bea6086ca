/** A live container as the host's kernel shows it. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { detectCgroups } from '@hob/scheduler';

/** The pids of the host that are the first of a pid namespace. */
export function firstProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const numbers = statusField(pid, 'NSpid').split(/\s+/);
      return numbers.length > 1 && numbers.at(-1) === '1';
    });
}

/**
 * Finds a container's first process by the pid namespace that a function told.
 *
 * @param pidNamespace such as `pid:[4026532177]`.
 */
export function containerOf(pidNamespace: string): number {
  const found = firstProcesses().find((pid) => namespaceOf(pid, 'pid') === pidNamespace);
  if (found === undefined) throw new Error(`no container has ${pidNamespace}`);
  return found;
}

/** A field of /proc/<pid>/status; empty when the process is gone. */
export function statusField(pid: number, name: string): string {
  const path = `/proc/${pid}/status`;
  try {
    return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1]?.trim() ?? '';
  } catch {
    return '';
  }
}

export function namespaceOf(pid: number | 'self', kind: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return '';
  }
}

/** One mount of a process, from its mountinfo. */
export interface MountSight {
  readonly point: string;
  readonly options: ReadonlySet<string>;
  /** How it propagates, such as `shared:4`. */
  readonly propagation: readonly string[];
  readonly superOptions: readonly string[];
}

export function mountsOf(pid: number): MountSight[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [own = '', its = ''] = line.split(' - ');
    const fields = own.split(' ');
    return {
      point: fields[4] ?? '',
      options: new Set(fields[5]?.split(',')),
      propagation: fields.slice(6),
      superOptions: its.split(' ').at(-1)?.split(',') ?? [],
    };
  });
}

/** The cgroups of a process, as /proc tells; empty when it is gone. */
export function cgroupOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}

/** The text of a file of a process's cgroup, trimmed; undefined when there is none. */
export function cgroupFile(pid: number, name: string): string | undefined {
  const host = detectCgroups();
  const entries = cgroupOf(pid).trimEnd().split('\n');
  for (const entry of entries) {
    const [, controllers = '', path = ''] = entry.split(':');
    const mount =
      host.version === 2 ? host.mount : host.mounts.get(controllers.split(',')[0] as 'cpu' | 'memory' | 'pids');
    if (mount === undefined) continue;
    const file = join(mount, path, name);
    if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  }
  return undefined;
}
