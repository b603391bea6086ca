import { existsSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CPU_PERIOD_US, type CgroupKnobs, cpuQuotaUs, keyedNumber } from './cgroup-knobs.ts';

/** A controller can be given to children only by a folder that has it, so it is handed down from the root. */
async function handDown(dir: string): Promise<void> {
  await writeFile(join(dir, 'cgroup.subtree_control'), '+cpu +memory +pids');
}

/** cgroup v2: one tree. */
export function knobsV2(mount: string, instance: string): CgroupKnobs {
  const dir = (name: string): string => join(mount, 'hob', instance, name);
  const read = (name: string, file: string): Promise<string> => readFile(join(dir(name), file), 'utf8');

  return {
    async prepareInstance() {
      for (const folder of [mount, join(mount, 'hob'), join(mount, 'hob', instance)]) await handDown(folder);
    },
    setLimits(name, limits, before) {
      const { memoryBytes, cpu, pidsMax } = limits;
      const write = (file: string, value: string): void => writeFileSync(join(dir(name), file), value);
      if (before === undefined) {
        // Absent where the kernel counts no swap: then there is none to forbid.
        if (existsSync(join(dir(name), 'memory.swap.max'))) write('memory.swap.max', '0');
        write('memory.oom.group', '1');
      }
      if (memoryBytes !== before?.memoryBytes) write('memory.max', String(memoryBytes));
      if (cpu !== before?.cpu) write('cpu.max', `${cpuQuotaUs(cpu)} ${CPU_PERIOD_US}`);
      if (pidsMax !== before?.pidsMax) write('pids.max', String(pidsMax));
    },
    async usage(name) {
      const [cpu, memory, events, pids] = await Promise.all([
        read(name, 'cpu.stat'),
        read(name, 'memory.current'),
        read(name, 'memory.events'),
        read(name, 'pids.events'),
      ]);
      return {
        cpuSeconds: keyedNumber(cpu, 'usage_usec') / 1e6,
        memoryBytes: Number(memory),
        oomKills: keyedNumber(events, 'oom_kill'),
        pidsDenied: keyedNumber(pids, 'max'),
      };
    },
  };
}
