import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IoLimits } from '../container-driver.ts';
import type { CgroupHost } from './cgroup-host.ts';
import { blockDevices, CPU_PERIOD_US, type CgroupKnobs, CPU_WEIGHT_USUAL, cpuQuotaUs } from './cgroup-knobs.ts';

/** A controller can be given to children only by a folder that has it, so it is handed down from the root. */
async function handDown(dir: string, hasIo: boolean): Promise<void> {
  await writeFile(join(dir, 'cgroup.subtree_control'), `+cpu +memory +pids${hasIo ? ' +io' : ''}`);
}

/** Keys of io.max. */
const ioKeys = {
  readBytesPerSecond: 'rbps',
  writeBytesPerSecond: 'wbps',
  readsPerSecond: 'riops',
  writesPerSecond: 'wiops',
} as const satisfies Record<keyof IoLimits, string>;

function setIo(dir: string, io: IoLimits): void {
  const rates = Object.entries(io).map(([key, rate]) => `${ioKeys[key as keyof IoLimits]}=${rate}`);
  if (rates.length === 0) return;
  for (const device of blockDevices()) writeFileSync(`${dir}/io.max`, `${device} ${rates.join(' ')}`);
}

const hasPeak = (dir: string): boolean => existsSync(`${dir}/memory.peak`);

/** Processes may start while others are moved; somebody who starts them for ever does not keep us. */
const VACATE_ROUNDS_MAX = 100;

/**
 * A group that gives controllers to its children holds no process itself, but for the tree's top. So what runs in the group
 * that is hob's, delegated by systemd or the top of a cgroup namespace, moves to a child of it, hob itself for one.
 */
async function vacate(base: string): Promise<void> {
  if (!existsSync(join(base, 'cgroup.events'))) return; // the top of the tree
  const leaf = join(base, 'hob-serve');
  for (let round = 0; round < VACATE_ROUNDS_MAX; round++) {
    // 0: a process that this pid namespace does not have.
    const pids = (await readFile(join(base, 'cgroup.procs'), 'utf8')).split('\n').filter((pid) => Number(pid) > 0);
    if (pids.length === 0) return;
    await mkdir(leaf, { recursive: true });
    for (const pid of pids) await writeFile(join(leaf, 'cgroup.procs'), pid).catch(ignoreEnded);
  }
}

function ignoreEnded(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
}

/** cgroup v2: one tree. */
export function knobsV2({ mount, hasIo }: CgroupHost & { version: 2 }, instance: string): CgroupKnobs {
  // Put together anew for each container, so not by `join`, which takes ten times as long.
  const dir = (name: string): string => `${mount}/hob/${instance}/${name}`;

  return {
    async prepareInstance() {
      await vacate(mount);
      for (const folder of [mount, join(mount, 'hob'), join(mount, 'hob', instance)]) await handDown(folder, hasIo);
    },
    setLimits(name, limits, before) {
      const { memoryBytes, cpu, cpuWeight, pidsMax, io } = limits;
      const write = (file: string, value: string): void => writeFileSync(`${dir(name)}/${file}`, value);
      if (before === undefined) {
        // Absent where the kernel counts no swap: then there is none to forbid.
        if (existsSync(`${dir(name)}/memory.swap.max`)) write('memory.swap.max', '0');
        write('memory.oom.group', '1');
      }
      if (memoryBytes !== before?.memoryBytes) write('memory.max', String(memoryBytes));
      if (cpu !== before?.cpu) write('cpu.max', `${cpuQuotaUs(cpu)} ${CPU_PERIOD_US}`);
      if (cpuWeight !== (before?.cpuWeight ?? CPU_WEIGHT_USUAL)) write('cpu.weight', String(cpuWeight));
      if (pidsMax !== before?.pidsMax) write('pids.max', String(pidsMax));
      if (io !== undefined && hasIo) setIo(dir(name), io);
    },
    accountFiles: (name) => ({
      cpu: { path: `${dir(name)}/cpu.stat`, key: 'usage_usec ' },
      cpuUnitsPerMs: 1000,
      memory: { path: `${dir(name)}/memory.current`, key: '' },
      // Before Linux 5.19 there is no peak: what is charged at the time of asking stands for it.
      memoryPeak: { path: `${dir(name)}/${hasPeak(dir(name)) ? 'memory.peak' : 'memory.current'}`, key: '' },
      pidsDenied: { path: `${dir(name)}/pids.events`, key: 'max ' },
      oomKills: { path: `${dir(name)}/memory.events`, key: 'oom_kill ' },
    }),
  };
}
