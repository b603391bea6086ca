import { confinementLines, filterOf, modulesOf } from './confinement-lines.ts';
import { mountLines } from './mount-lines.ts';
import { processLines } from './process-lines.ts';
import { controllersOf, resourceLines } from './resource-lines.ts';
import type { HostSight, Sight } from './sight.ts';
import { enforced, type IsolationLine, type Judge, type Verdict, weaker } from './verdict.ts';

/** What each line of the checklist is about, in its order: 1 to 26. */
const titles = [
  'zygote without secrets',
  'session, signals',
  'limits before code',
  'cgroup namespace',
  'namespaces',
  'host uid, id maps',
  'mount propagation',
  'root filesystem',
  'writable folders',
  'devices',
  '/proc',
  'old root, mounts',
  'own files',
  'capabilities',
  'new privileges, keys, descriptors',
  'resource limits',
  'security modules',
  'system calls',
  'cgroup v2',
  'cgroup v1',
  'kernel memory',
  'network',
  'unix sockets',
  'death',
  'reuse, output',
  'randomness, clocks',
] as const;

const judges: Readonly<Record<number, Judge>> = {
  ...processLines,
  ...mountLines,
  ...confinementLines,
  ...resourceLines,
};

/** Judges every line by what was seen of containers. */
export function judgeLines(sight: Sight): IsolationLine[] {
  return titles.map((title, index) => {
    const line = index + 1;
    return { line, title, ...(judges[line] as Judge)(sight) };
  });
}

const time = (host: HostSight): Verdict =>
  host.timeNamespace
    ? enforced('this kernel has all kinds')
    : weaker('no time namespaces', "its clocks are the host's");

/** The lines that can be judged without a container. */
const byHost: Readonly<Record<number, (host: HostSight) => Verdict>> = {
  5: time,
  17: modulesOf,
  18: filterOf,
  19: controllersOf,
  20: controllersOf,
};

/** Judges by what the host offers, where no container can be made. @param why as it continues "not looked at: " */
export function judgeHost(host: HostSight, why: string): IsolationLine[] {
  return titles.map((title, index) => {
    const line = index + 1;
    const verdict = byHost[line]?.(host) ?? { state: 'unknown', found: `not looked at: ${why}` };
    return { line, title, ...verdict };
  });
}
