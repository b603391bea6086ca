import { readdirSync, readFileSync } from 'node:fs';
import type { AccountFiles } from './cgroup-account.ts';
import type { CgroupLimits } from './cgroup-tree.ts';

/** What a container uses. */
export interface CgroupUsage {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** What the kernel accounted to a container that has ended. */
export interface CgroupTally {
  readonly cpuSeconds: number;
  /** How many processes the kernel killed for memory. */
  readonly oomKills: number;
  /** How many forks were refused at the limit. */
  readonly pidsDenied: number;
}

/** The files of one cgroup version. Errors are the file system's. */
export interface CgroupKnobs {
  /** What is set once, on the folder above the containers. */
  prepareInstance(): Promise<void>;
  /**
   * Synchronous: it is on the way of a request, and two or three small writes cost less than to hand them to a thread.
   *
   * @param before the limits in force, undefined for a new cgroup; what is equal is not written.
   */
  setLimits(name: string, limits: CgroupLimits, before: CgroupLimits | undefined): void;
  /** The files that the account of a container is read from. */
  accountFiles(name: string): AccountFiles;
}

/** Length of the window that CPU bandwidth is counted in, µs: the kernel's default. */
export const CPU_PERIOD_US = 100_000;
/** The weight that a new cgroup has, as cgroup v2 counts. */
export const CPU_WEIGHT_USUAL = 100;
/** The kernel refuses a smaller quota, µs. */
const CPU_QUOTA_US_MIN = 1000;

/** The quota of a number of cores, µs in each period. */
export function cpuQuotaUs(cpu: number): number {
  return Math.max(CPU_QUOTA_US_MIN, Math.round(cpu * CPU_PERIOD_US));
}

/**
 * The block devices that reads and writes can be limited on, as `major:minor`: whole disks, since the kernel counts those of a
 * partition to its disk; and not the ones without a medium, such as a loop device that is not in use.
 */
export function blockDevices(): string[] {
  return readdirSync('/sys/block')
    .filter((name) => Number(readFileSync(`/sys/block/${name}/size`, 'utf8')) > 0)
    .map((name) => readFileSync(`/sys/block/${name}/dev`, 'utf8').trim());
}
