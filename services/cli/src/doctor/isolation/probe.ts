/** Makes containers on this host, the way that `hob serve` does, and looks at them. */
import { existsSync, readdirSync } from 'node:fs';
import { hostNative, libraryPath } from '@hob/native';
import { driverDefaults, HostDriver, removeDeadInstances } from '@hob/scheduler/launcher';
import type { Host } from '../finding.ts';
import { judgeHost, judgeLines } from './checklist.ts';
import { cgroupTrees, type ContainerSight, type HostSight, readText, seeContainer, type Sight } from './sight.ts';
import type { IsolationLine } from './verdict.ts';

const small = { memoryMb: 128, network: 'none' } as const;
const FORKED = 'nodejs24.x';
const EXECUTED = 'sleep';
/** Two may look at the same time. */
const INSTANCE = 'doctor';
const O_CLOEXEC = 0o2000000;
/** A PARKED frame without payload, in the notation of printf(1). Then the shell becomes a program that waits. */
const parked = String.raw`\000\000\000\000\011\000\000\000\000\000`;
const program = {
  argv: ['/bin/sh', '-c', `printf '${parked}' >&3 && exec sleep 60`],
  env: { PATH: '/usr/bin:/bin' },
  folder: '/tmp',
};

/**
 * Judges every line of the checklist for this host: as root by one container that is forked and one that executes a program,
 * both removed before this returns; else by what the host offers.
 *
 * @param rootfs the root filesystem of containers.
 * @throws ERR_NATIVE_UNSUPPORTED, ERR_SCHED_START_FAILED, … when no container can be made
 */
export async function probeIsolation(host: Host, rootfs: string): Promise<IsolationLine[]> {
  if (process.getuid?.() !== 0) return judgeHost(seeHost([], undefined), 'it needs root');
  await removeDeadInstances(INSTANCE);
  const driver = await HostDriver.open({
    ...driverDefaults,
    ...{ root: rootfs, library: libraryPath, bundles: '/nonexistent', programs: { [EXECUTED]: program } },
    instance: `${INSTANCE}-${process.pid}`,
  });
  try {
    return judgeLines(await look(host, driver));
  } finally {
    await driver.close();
  }
}

async function look(host: Host, driver: HostDriver): Promise<Sight> {
  const made = [
    { kind: 'forked', container: await driver.create({ runtime: FORKED, ...small }) },
    { kind: 'executed', container: await driver.create({ runtime: EXECUTED, ...small }) },
  ] as const;
  const containers: ContainerSight[] = [];
  for (const { kind, container } of made) {
    await settled(kind, container.pid);
    containers.push(seeContainer(kind, container.pid, await userLimits(host, container.pid)));
  }
  const zygote = seeZygote(driver.zygotes()[0]?.pid ?? 0);
  for (const { container } of made) container.kill();
  await Promise.all(made.map(({ container }) => container.exited));
  const left = made.flatMap(({ container }, index) => leftOf(container.pid, containers[index]?.cgroup ?? ''));
  return { host: seeHost(driver.lacks, driver.cgroupBase), containers, zygote, left };
}

/** The shell's own descriptors go when it becomes the other program. */
async function settled(kind: ContainerSight['kind'], pid: number): Promise<void> {
  if (kind === 'forked') return;
  while (readText(`/proc/${pid}/comm`)?.trim() === 'sh') {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The limits that a process's user namespace has of its own; undefined when nobody can be asked. */
async function userLimits(host: Host, pid: number): Promise<ReadonlyMap<string, number> | undefined> {
  const nsenter = host.which('nsenter');
  const files = existsSync('/proc/sys/user') ? readdirSync('/proc/sys/user') : [];
  if (nsenter === undefined) return undefined;
  const visit = ['--target', String(pid), '--user', '--preserve-credentials', 'grep', '-H', ''];
  const { done, output } = await host.run(nsenter, [...visit, ...files.map((name) => `/proc/sys/user/${name}`)]);
  if (!done) return undefined;
  const rows = [...output.matchAll(/^\/proc\/sys\/user\/(\w+):(\d+)$/gm)];
  return new Map(rows.map(([, name = '', value]) => [name, Number(value)]));
}

function seeZygote(pid: number): Sight['zygote'] {
  const environment = (readText(`/proc/${pid}/environ`) ?? '?').replaceAll('\0', '').trim();
  const inheritable = readdirSync(`/proc/${pid}/fdinfo`).filter((fd) => {
    const flags = /^flags:\s*(\d+)$/m.exec(readText(`/proc/${pid}/fdinfo/${fd}`) ?? '')?.[1];
    return Number(fd) > 2 && flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  });
  return { environment, inheritable: inheritable.length };
}

/** Traces of a container that has ended. */
function leftOf(pid: number, cgroup: string): string[] {
  const trees = cgroupTrees();
  const groups = cgroup.split('\n').flatMap((line) => {
    const [, controllers = '', path = ''] = line.split(':');
    const tree = trees.get(controllers.split(',')[0] ?? '');
    return tree !== undefined && path.includes('/hob/') && existsSync(`${tree}${path}`) ? [`${tree}${path}`] : [];
  });
  return existsSync(`/proc/${pid}`) ? [`process ${pid}`, ...groups] : groups;
}

function seeHost(lacks: readonly string[], cgroupBase: string | undefined): HostSight {
  const trees = cgroupTrees();
  const isV1 = trees.has('memory');
  const enforce = readText('/sys/fs/selinux/enforce')?.trim();
  return {
    landlockAbi: hostNative().landlockAbi(),
    apparmor: readText('/sys/module/apparmor/parameters/enabled')?.trim() === 'Y',
    selinux: enforce === undefined ? undefined : enforce === '1' ? 'enforcing' : 'permissive',
    lacks,
    seccompActions: readText('/proc/sys/kernel/seccomp/actions_avail') ?? '',
    timeNamespace: existsSync('/proc/self/ns/time'),
    cgroups: isV1 ? (trees.has('') ? 'hybrid' : 'v1') : trees.has('') ? 'v2' : undefined,
    besideSystemd: existsSync('/run/systemd/system') && !isV1 && cgroupBase === trees.get(''),
    swap: (readText('/proc/swaps') ?? '').trim().split('\n').length > 1,
  };
}
