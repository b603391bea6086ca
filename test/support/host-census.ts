import { type Dirent, existsSync, readFileSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, join } from 'node:path';
import { descendants, serverPid } from './processes.ts';

/** What a running server holds of the host, in a form that can be compared: equal censuses mean that nothing leaked. */
export interface HostCensus {
  /** Names of the server's descendants, sorted. */
  readonly processes: readonly string[];
  /** How many descriptors the two halves of the server have open. */
  readonly descriptors: number;
  /** Names of the server's cgroups, each as often as there are hierarchies that have it, sorted; containers' are `c`. */
  readonly cgroups: readonly string[];
  /** The mounts that the server's process sees, sorted. */
  readonly mounts: readonly string[];
}

/** @param pid of the process that runs `hob serve`. */
export function takeCensus(pid: number): HostCensus {
  return {
    processes: descendants(pid)
      .map((seen) => seen.name)
      .toSorted(),
    descriptors: [pid, serverPid(pid)].reduce((sum, each) => sum + readdirSync(`/proc/${each}/fd`).length, 0),
    cgroups: cgroupFolders(cgroupName(pid))
      .map((folder) => basename(folder).replace(/^c-.+/, 'c'))
      .toSorted(),
    mounts: mounts(pid),
  };
}

/** Mount points of a process, sorted. */
export function mounts(pid: number | 'self' = 'self'): string[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trimEnd().split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '').toSorted();
}

/**
 * The name of a server's cgroups, as its containers and zygotes show it: `<name>` in `hob/<name>/<container>`. Other servers
 * on this host have other names.
 *
 * @throws Error when no descendant of the server is in one.
 */
export function cgroupName(pid: number): string {
  for (const seen of descendants(pid)) {
    const path = `/proc/${seen.pid}/cgroup`;
    const name = existsSync(path) ? /\/hob\/([^/\n]+)/.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
    if (name !== undefined) return name;
  }
  throw new Error(`no descendant of process ${pid} is in a cgroup of hob's`);
}

/** Every cgroup folder of one server in every hierarchy, its own and those of its containers, sorted. */
export function cgroupFolders(name: string): string[] {
  return cgroupTrees()
    .map((tree) => join(tree, 'hob', name))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, ...foldersBelow(folder)])
    .toSorted();
}

function cgroupTrees(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  return lines.filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(' ')[4] ?? '');
}

/** Every folder below a folder. One that is removed while we look is not there. */
function foldersBelow(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENODEV')) return [];
    throw error;
  }
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
  return below.flatMap((path) => [path, ...foldersBelow(path)]);
}

/** Socket files below a folder that nobody listens on. */
export async function deadSockets(folder: string): Promise<string[]> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isSocket()).map((entry) => join(entry.parentPath, entry.name));
  const alive = await Promise.all(paths.map(isListenedOn));
  return paths.filter((_, index) => !alive[index]);
}

async function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
