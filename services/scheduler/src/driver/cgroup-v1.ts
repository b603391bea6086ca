import { writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { IoLimits } from '../container-driver.ts';
import type { CgroupController } from './cgroup-host.ts';
import { blockDevices, type CgroupKnobs, CPU_WEIGHT_USUAL, cpuQuotaUs } from './cgroup-knobs.ts';

/** Major 1, minors of null, zero, full, random, urandom: all that a container may open or make. */
const deviceMinors = [3, 5, 7, 8, 9];

/** Memory must never be above memory plus swap, so which goes first depends on the direction. */
function setMemory(dir: string, bytes: number, beforeBytes: number | undefined): void {
  const memory = `${dir}/memory.limit_in_bytes`;
  const withSwap = `${dir}/memory.memsw.limit_in_bytes`;
  const grows = beforeBytes !== undefined && bytes > beforeBytes;
  for (const file of grows ? [withSwap, memory] : [memory, withSwap]) writeFileSync(file, String(bytes));
}

/** Files of the throttling of block devices. */
const throttles = {
  readBytesPerSecond: 'read_bps_device',
  writeBytesPerSecond: 'write_bps_device',
  readsPerSecond: 'read_iops_device',
  writesPerSecond: 'write_iops_device',
} as const satisfies Record<keyof IoLimits, string>;

function setIo(dir: string, io: IoLimits): void {
  for (const device of blockDevices()) {
    for (const [key, file] of Object.entries(throttles)) {
      const rate = io[key as keyof IoLimits];
      if (rate !== undefined) writeFileSync(`${dir}/blkio.throttle.${file}`, `${device} ${rate}`);
    }
  }
}

/** What v1 has for weights: 1024 is what a new cgroup has. */
function cpuShares(cpuWeight: number): number {
  return Math.round((1024 * cpuWeight) / CPU_WEIGHT_USUAL);
}

/** cgroup v1: one tree for each controller. */
export function knobsV1(mounts: ReadonlyMap<CgroupController, string>, instance: string): CgroupKnobs {
  // Put together anew for each container, so not by `join`, which takes ten times as long.
  const dir = (controller: CgroupController, name = '.'): string =>
    `${mounts.get(controller) as string}/hob/${instance}/${name}`;

  return {
    async prepareInstance() {
      // Refused while the folder has children, and already done when a predecessor left it.
      const everything = (await readFile(`${dir('devices')}/devices.list`, 'utf8')).startsWith('a ');
      if (everything) await writeFile(`${dir('devices')}/devices.deny`, 'a');
      for (const minor of deviceMinors) await writeFile(`${dir('devices')}/devices.allow`, `c 1:${minor} rwm`);
    },
    setLimits(name, limits, before) {
      const { memoryBytes, cpu, cpuWeight, pidsMax, io } = limits;
      if (memoryBytes !== before?.memoryBytes) setMemory(dir('memory', name), memoryBytes, before?.memoryBytes);
      if (cpu !== before?.cpu) writeFileSync(`${dir('cpu', name)}/cpu.cfs_quota_us`, String(cpuQuotaUs(cpu)));
      if (cpuWeight !== (before?.cpuWeight ?? CPU_WEIGHT_USUAL)) {
        writeFileSync(`${dir('cpu', name)}/cpu.shares`, String(cpuShares(cpuWeight)));
      }
      if (pidsMax !== before?.pidsMax) writeFileSync(`${dir('pids', name)}/pids.max`, String(pidsMax));
      if (io !== undefined && mounts.has('blkio')) setIo(dir('blkio', name), io);
    },
    accountFiles: (name) => ({
      cpu: { path: `${dir('cpuacct', name)}/cpuacct.usage`, key: '' },
      cpuUnitsPerMs: 1_000_000,
      memory: { path: `${dir('memory', name)}/memory.usage_in_bytes`, key: '' },
      memoryPeak: { path: `${dir('memory', name)}/memory.max_usage_in_bytes`, key: '' },
      pidsDenied: { path: `${dir('pids', name)}/pids.events`, key: 'max ' },
      oomKills: { path: `${dir('memory', name)}/memory.oom_control`, key: 'oom_kill ' },
    }),
  };
}
