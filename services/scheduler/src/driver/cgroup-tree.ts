import { chownSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '@hob/contracts';
import type { IoLimits } from '../container-driver.ts';
import { AccountReader, type CountedFile, numberIn, readCount } from './cgroup-account.ts';
import type { CgroupHost } from './cgroup-host.ts';
import type { CgroupKnobs, CgroupTally, CgroupUsage } from './cgroup-knobs.ts';
import { knobsV1 } from './cgroup-v1.ts';
import { knobsV2 } from './cgroup-v2.ts';

/** What a container's cgroup enforces. Swap is always off. */
export interface CgroupLimits {
  readonly memoryBytes: number;
  /** CPU bandwidth in cores. */
  readonly cpu: number;
  /** As in cgroup v2: 1 to 10,000, 100 is what a new cgroup has. */
  readonly cpuWeight: number;
  readonly pidsMax: number;
  /** For each block device; without effect where the host has no controller for it. */
  readonly io: IoLimits | undefined;
}

/** What stops the processes of a cgroup: the file, and what it is told when they are to go on and to stop. */
interface Freezer {
  readonly root: string;
  readonly file: string;
  readonly words: readonly [string, string];
}

/** How long the kernel may take to let go of a cgroup whose processes are gone: a second on a host with too much to do. */
const REMOVE_MS_MAX = 20_000;
const REMOVE_PAUSE_MS = 10;
const REMOVE_PAUSE_MS_MAX = 250;

/** The folder of all hob's cgroups below each controller's root; each running hob has one of its own in it. */
const PARENT = 'hob';

/**
 * The cgroups of one running hob: `<controller root>/hob/<instance>/<container>`, in each of the trees that the host has.
 * Whatever is found below the instance's folder when it starts was left by a predecessor that was killed.
 */
export class CgroupTree {
  readonly #knobs: CgroupKnobs;
  readonly #roots: readonly string[];
  /** The roots of v1 among them, and the one of v2, where the host has it. */
  readonly #rootsV1: readonly string[];
  readonly #rootV2: string | undefined;
  readonly #freezer: Freezer | undefined;
  /** As it is in the path of each group below the instance's folder. */
  readonly #infix: string;
  /** Where in the v2 tree hob's groups go; undefined on a host without one. */
  readonly base: string | undefined;

  /** @param instance name of this hob's folder: the same for each run on the same data folder. */
  constructor(host: CgroupHost, instance: string) {
    const below = (mount: string): string => join(mount, PARENT, instance);
    this.#infix = `/${join(PARENT, instance)}/`;
    this.base = host.version === 2 ? host.mount : host.unified;
    this.#rootsV1 = host.version === 2 ? [] : [...new Set(host.mounts.values())].map(below);
    this.#rootV2 = this.base === undefined ? undefined : below(this.base);
    this.#roots = this.#rootV2 === undefined ? this.#rootsV1 : [...this.#rootsV1, this.#rootV2];
    const freezerMount = host.version === 2 ? undefined : host.mounts.get('freezer');
    if (this.#rootV2 !== undefined) this.#freezer = { root: this.#rootV2, file: 'cgroup.freeze', words: ['0', '1'] };
    else if (freezerMount !== undefined) {
      this.#freezer = { root: below(freezerMount), file: 'freezer.state', words: ['THAWED', 'FROZEN'] };
    }
    this.#knobs = host.version === 2 ? knobsV2(host, instance) : knobsV1(host.mounts, instance);
  }

  /** Makes the instance's folders. @throws ERR_NATIVE_SYSCALL */
  async open(): Promise<void> {
    await syscall('cgroup set-up', async () => {
      for (const root of this.#roots) await mkdir(root, { recursive: true });
      await this.#knobs.prepareInstance();
    });
  }

  /** The folders that a container's first process enters. v2's one folder is cloned into instead. */
  dirs(name: string): { readonly cgroupDirs: readonly string[]; readonly cgroup2Dir?: string } {
    const cgroupDirs = this.#rootsV1.map((root) => `${root}/${name}`);
    return this.#rootV2 === undefined ? { cgroupDirs } : { cgroupDirs, cgroup2Dir: `${this.#rootV2}/${name}` };
  }

  /**
   * Makes a container's cgroups with their limits. Synchronous, about a third of a millisecond: handing a dozen small calls to
   * threads takes this thread as long, and the container four times as long.
   *
   * @param accountUid who may start to look for the most memory anew.
   * @throws ERR_NATIVE_SYSCALL; what was made by then is left for `remove`.
   */
  create(name: string, limits: CgroupLimits, accountUid: number): void {
    syscallSync('cgroup create', () => {
      for (const root of this.#roots) mkdirSync(`${root}/${name}`);
      if (this.#rootV2 !== undefined) writeFileSync(`${this.#rootV2}/${name}/cgroup.max.descendants`, '0');
      this.#knobs.setLimits(name, limits, undefined);
      if (accountUid !== 0) chownSync(this.#knobs.accountFiles(name).memoryPeak.path, accountUid, 0);
    });
  }

  /** Changes the limits of a container that lives, where they differ from those in force. @throws ERR_NATIVE_SYSCALL */
  setLimits(name: string, limits: CgroupLimits, before: CgroupLimits): void {
    syscallSync('cgroup limits', () => this.#knobs.setLimits(name, limits, before));
  }

  /** Opens the account of a container that was created. The caller closes it. @throws ERR_NATIVE_SYSCALL */
  account(name: string): AccountReader {
    return syscallSync('cgroup account', () => new AccountReader(this.#knobs.accountFiles(name)));
  }

  /** What a container uses; zeroes when it is already gone. */
  async usage(name: string): Promise<CgroupUsage> {
    const { cpu, cpuUnitsPerMs, memory } = this.#knobs.accountFiles(name);
    try {
      const read = async ({ path, key }: CountedFile): Promise<number> => numberIn(await readFile(path), key) ?? 0;
      const [cpuUnits, memoryBytes] = await Promise.all([read(cpu), read(memory)]);
      return { cpuSeconds: cpuUnits / cpuUnitsPerMs / 1000, memoryBytes };
    } catch {
      return { cpuSeconds: 0, memoryBytes: 0 };
    }
  }

  /** What a container has used and run into, of which nothing runs any more. Synchronous, as `create` is. */
  tally(name: string): CgroupTally {
    const { cpu, cpuUnitsPerMs, oomKills, pidsDenied } = this.#knobs.accountFiles(name);
    try {
      const cpuSeconds = readCount(cpu) / cpuUnitsPerMs / 1000;
      return { cpuSeconds, oomKills: readCount(oomKills), pidsDenied: readCount(pidsDenied) };
    } catch {
      return { cpuSeconds: 0, oomKills: 0, pidsDenied: 0 };
    }
  }

  /** Stops the processes in a container's cgroup, or lets them go on. Without effect where no tree can. @throws ERR_NATIVE_SYSCALL */
  setFrozen(name: string, isFrozen: boolean): void {
    const freezer = this.#freezer;
    if (freezer === undefined) return;
    const path = `${freezer.root}/${name}/${freezer.file}`;
    // Not made if it is not there: the container is gone then.
    syscallSync('cgroup freeze', () => writeFileSync(path, freezer.words[isFrozen ? 1 : 0], { flag: 'r+' }));
  }

  /** SIGKILL reaches what v1 has frozen only once it goes on. To be called after the signal. */
  letDie(name: string): void {
    try {
      this.setFrozen(name, false);
    } catch {
      // It is gone.
    }
  }

  /** SIGKILL to all that is in a container's cgroup, at once. @returns false where the host has no v2 tree for it, or it is gone. */
  kill(name: string): boolean {
    if (this.#rootV2 === undefined) return false;
    try {
      // Not made if it is not there: before Linux 5.14.
      writeFileSync(`${this.#rootV2}/${name}/cgroup.kill`, '1', { flag: 'r+' });
      return true;
    } catch {
      return false;
    }
  }

  /** Puts a process of hob's own (a zygote) where a successor would find and end it. */
  async adopt(name: string, pid: number): Promise<void> {
    await syscall('cgroup adopt', async () => {
      await Promise.all(this.#roots.map((root) => mkdir(`${root}/${name}`, { recursive: true })));
      await Promise.all(this.#roots.map((root) => writeFile(`${root}/${name}/cgroup.procs`, String(pid))));
    });
  }

  /** The processes in a container's cgroups, as this process's pid namespace numbers them. */
  async processes(name: string): Promise<number[]> {
    const lists = await Promise.all(this.#roots.map((root) => readProcesses(`${root}/${name}`)));
    return [...new Set(lists.flat())];
  }

  /** Whether a process is, or was at its end, in a cgroup of this instance. The latter only v2's tree tells: without one it may be. */
  mayHold({ pid, hasEnded }: { readonly pid: number; readonly hasEnded: boolean }): boolean {
    if (hasEnded && this.#rootV2 === undefined) return true;
    try {
      return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(this.#infix);
    } catch {
      return false; // gone
    }
  }

  /** Removes a container's cgroups, waiting for the kernel to let go of them. Absent ones are fine. */
  async remove(name: string): Promise<void> {
    await Promise.all(this.#roots.map((root) => removeDir(`${root}/${name}`)));
  }

  /** The names of what lies below the instance's folder. */
  async list(): Promise<string[]> {
    const lists = await Promise.all(this.#roots.map(listDirs));
    return [...new Set(lists.flat())];
  }

  /** Removes the instance's own folders, and hob's when no other instance is left. */
  async close(): Promise<void> {
    for (const root of this.#roots) {
      await removeDir(root);
      await rmdir(join(root, '..')).catch(() => undefined); // another hob is still in there
    }
  }
}

/** The names of all running hobs' folders, and of those whose process was killed. */
export async function instances(host: CgroupHost): Promise<string[]> {
  const mounts = host.version === 2 ? [host.mount] : [...host.mounts.values(), ...(host.unified ? [host.unified] : [])];
  const lists = await Promise.all([...new Set(mounts)].map((mount) => listDirs(join(mount, PARENT))));
  return [...new Set(lists.flat())];
}

async function readProcesses(dir: string): Promise<number[]> {
  try {
    const text = await readFile(join(dir, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

async function listDirs(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Tries it once; most are free, and quickly gone. @returns whether the cgroup is gone. */
function isRemoved(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY') return false;
    if (code === 'ENOENT') return true;
    throw wrap('cgroup remove', error);
  }
}

/** A cgroup stays busy for a moment after its last process was reaped. */
async function removeDir(dir: string): Promise<void> {
  const givenUpMs = performance.now() + REMOVE_MS_MAX;
  for (let pauseMs = REMOVE_PAUSE_MS; !isRemoved(dir); pauseMs = Math.min(2 * pauseMs, REMOVE_PAUSE_MS_MAX)) {
    if (performance.now() > givenUpMs) throw fail('ERR_NATIVE_SYSCALL', ['cgroup remove', 'EBUSY']);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function wrap(step: string, error: unknown): Error {
  return fail('ERR_NATIVE_SYSCALL', [step, (error as NodeJS.ErrnoException).code ?? String(error)], { cause: error });
}

async function syscall<T>(step: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw wrap(step, error);
  }
}

function syscallSync<T>(step: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw wrap(step, error);
  }
}
