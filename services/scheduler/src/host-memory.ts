import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MemorySnapshot } from '@hob/contracts';

/** The memory that containers can be made of, at one moment. */
export type MemoryReading = Pick<MemorySnapshot, 'totalBytes' | 'availableBytes' | 'pressurePercent'>;

/** Where readings come from. `read` never rejects; it gives undefined when nothing can be read. */
export interface MemorySource {
  read(): Promise<MemoryReading | undefined>;
}

const KiB = 1024;

/** The files of one cgroup that tell its memory, by cgroup version. */
interface CgroupFiles {
  readonly limit: string;
  readonly used: string;
  /** What stands before the bytes of file cache that can be given back at once, in `memory.stat`. */
  readonly cacheKey: string;
}

const files: Readonly<Record<1 | 2, CgroupFiles>> = {
  1: { limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', cacheKey: 'total_inactive_file' },
  2: { limit: 'memory.max', used: 'memory.current', cacheKey: 'inactive_file' },
};

/** This host's memory, or what is left of it for the cgroups that this process is in. */
export class HostMemory implements MemorySource {
  readonly #groups: readonly string[];
  readonly #files: CgroupFiles;
  readonly #root: string;

  /** @param root where `/proc` is, for tests. */
  constructor(root = '/') {
    this.#root = root;
    const text = (path: string): string => readOr(() => readFileSync(join(root, path), 'utf8'), '');
    const found = memoryCgroups(text('proc/self/mountinfo'), text('proc/self/cgroup'));
    this.#groups = found.folders.map((folder) => join(root, folder));
    this.#files = files[found.version];
  }

  async read(): Promise<MemoryReading | undefined> {
    const [meminfo = '', pressure] = await Promise.all(
      ['proc/meminfo', 'proc/pressure/memory'].map((path) => textOf(join(this.#root, path))),
    );
    const totalBytes = numberAfter(meminfo, 'MemTotal:') * KiB;
    const availableBytes = numberAfter(meminfo, 'MemAvailable:') * KiB;
    if (!(availableBytes <= totalBytes)) return undefined;
    const reading = { totalBytes, availableBytes, pressurePercent: somePressurePercent(pressure) };
    const groups = await Promise.all(this.#groups.map((folder) => this.#readGroup(folder, totalBytes)));
    return groups.reduce<MemoryReading>(
      (least, group) => ({
        ...least,
        totalBytes: Math.min(least.totalBytes, group.totalBytes),
        availableBytes: Math.min(least.availableBytes, group.availableBytes),
      }),
      reading,
    );
  }

  /** Of a cgroup without a limit only that is asked: adding up its statistics costs the kernel something. */
  async #readGroup(folder: string, hostBytes: number): Promise<{ totalBytes: number; availableBytes: number }> {
    const { limit, used, cacheKey } = this.#files;
    const limitBytes = Number((await textOf(join(folder, limit))) ?? NaN); // `max` is none
    if (!(limitBytes < hostBytes)) return { totalBytes: Infinity, availableBytes: Infinity };
    const [usage = '', stat = ''] = await Promise.all([used, 'memory.stat'].map((name) => textOf(join(folder, name))));
    const usedBytes = Number(usage) - (numberAfter(stat, cacheKey) || 0);
    return { totalBytes: limitBytes, availableBytes: Math.max(0, limitBytes - usedBytes) };
  }
}

/** `some avg10` of a file of pressure stall information. */
export function somePressurePercent(text: string | undefined): number | undefined {
  const found = /^some avg10=(\d+\.\d+)/m.exec(text ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

/**
 * The folders of the cgroups whose memory limits hold for a process, its own first.
 *
 * @param mountinfo text of /proc/self/mountinfo, and `own` that of /proc/self/cgroup.
 */
export function memoryCgroups(
  mountinfo: string,
  own: string,
): { readonly version: 1 | 2; readonly folders: readonly string[] } {
  const v1 = mountOf(mountinfo, (type, options) => type === 'cgroup' && options.split(',').includes('memory'));
  const version = v1 === undefined ? 2 : 1;
  const mount = v1 ?? mountOf(mountinfo, (type) => type === 'cgroup2');
  const path = (version === 1 ? /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m : /^0::(\/.*)$/m).exec(own)?.[1];
  if (mount === undefined || path === undefined) return { version, folders: [] };
  // Without a cgroup namespace of its own, a process in another runtime's container sees its path as the host does.
  let below = path.startsWith(mount.root) ? join('/', path.slice(mount.root.length)) : '/';
  const folders = [];
  for (; below !== '/'; below = dirname(below)) folders.push(join(mount.point, below));
  return { version, folders: [...folders, mount.point] };
}

function mountOf(mountinfo: string, isIt: (type: string, options: string) => boolean) {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, point] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    if (root !== undefined && point !== undefined && isIt(type, options)) return { root, point };
  }
  return undefined;
}

/** NaN when the key is not there. */
function numberAfter(text: string, key: string): number {
  for (const line of text.split('\n')) {
    const [name, value] = line.split(/\s+/);
    if (name === key) return Number(value);
  }
  return NaN;
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function readOr<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
