import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const GIB = 1024 ** 3;
const LOOK_MS = 1000;
/** Up to here other programs do not change what is measured by much. */
const QUIET_PERCENT_MAX = 10;

/** The machine by its shape: cores, memory, kernel, cgroups, Node. */
export function machineShape(): string {
  const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'cgroup v2' : 'cgroup v1';
  const kernel = release().split('.').slice(0, 2).join('.');
  const memory = `${Math.round(totalmem() / GIB)} GiB`;
  return `${cpus().length} cores, ${memory}, Linux ${kernel}, ${cgroups}, Node ${process.versions.node}`;
}

/**
 * How busy other programs keep the cores, looked at while the bench itself does nothing. A warm call of hob passes between
 * processes four times, and where all cores are taken each time waits for a turn: its median goes from 0.15 ms to 0.7, while that
 * of a server in one process, which hardly ever sleeps under load, stays at 0.06.
 */
export class OtherPrograms {
  #worstPercent = 0;

  /** The worst of all looks: percent of all cores. */
  get worstPercent(): number {
    return this.#worstPercent;
  }

  get areQuiet(): boolean {
    return this.#worstPercent <= QUIET_PERCENT_MAX;
  }

  /** Takes a second. @returns percent of all cores. */
  async look(): Promise<number> {
    const before = coreTicks();
    await sleep(LOOK_MS);
    const after = coreTicks();
    const idle = (after.idle - before.idle) / (after.all - before.all);
    const percent = Math.round((1 - idle) * 100);
    this.#worstPercent = Math.max(this.#worstPercent, percent);
    return percent;
  }
}

/** Time of all cores since boot; what a hypervisor took is not idle. */
function coreTicks(): { readonly idle: number; readonly all: number } {
  const [, line = ''] = /^cpu +(.+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, interrupts = 0, soft = 0, stolen = 0] = line
    .split(' ')
    .map(Number);
  return { idle: idle + wait, all: user + nice + system + idle + wait + interrupts + soft + stolen };
}
