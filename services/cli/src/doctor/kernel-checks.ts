import { type Finding, type Host, missing, ok, warning } from './finding.ts';

/** mount_setattr(2), the newest system call that hob needs. */
const KERNEL_MIN = [5, 12] as const;

/** Kinds of namespace, each with the flag of unshare(1) and the limit in /proc/sys/user. */
const namespaces = {
  mnt: ['--mount', 'max_mnt_namespaces'],
  pid: ['--pid', 'max_pid_namespaces'],
  net: ['--net', 'max_net_namespaces'],
  ipc: ['--ipc', 'max_ipc_namespaces'],
  uts: ['--uts', 'max_uts_namespaces'],
  cgroup: ['--cgroup', 'max_cgroup_namespaces'],
  user: ['--user', 'max_user_namespaces'],
} as const;

/** Bits of the capability sets in /proc/self/status, by capabilities(7). */
const capabilities = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_ADMIN: 12,
  SYS_ADMIN: 21,
  MKNOD: 27,
} as const;

/** What the kernel must offer: version, rights, namespaces, cgroups, seccomp, file systems. */
export async function kernelChecks(host: Host): Promise<Finding[]> {
  return [
    kernelVersion(host),
    rights(host),
    ...(await namespaceChecks(host)),
    ...cgroupChecks(host),
    seccomp(host),
    lsm(host),
    fileSystem(host, 'tmpfs'),
    fileSystem(host, 'overlay'),
    swap(host),
    openFiles(host),
    resources(host),
  ];
}

function kernelVersion(host: Host): Finding {
  const release = host.read('/proc/sys/kernel/osrelease')?.trim() ?? 'unknown';
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  if (major > KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor >= KERNEL_MIN[1])) return ok('kernel', release);
  return missing('kernel', release, `hob needs Linux ${KERNEL_MIN.join('.')} or newer`);
}

function rights(host: Host): Finding {
  const status = host.read('/proc/self/status') ?? '';
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
  const effective = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const absent = Object.entries(capabilities)
    .filter(([, bit]) => (effective & (1n << BigInt(bit))) === 0n)
    .map(([name]) => `CAP_${name}`);
  const remedy = 'run "hob serve" as root; in a container of another runtime, give it these capabilities';
  if (absent.length > 0) return missing('root', `uid ${uid ?? '?'} without ${absent.join(', ')}`, remedy);
  if (uid !== '0') return missing('root', `uid ${uid ?? '?'}`, remedy);
  return ok('root', 'uid 0 with every capability needed');
}

async function namespaceChecks(host: Host): Promise<Finding[]> {
  const unshare = host.which('unshare');
  const checks = Object.entries(namespaces).map(async ([kind, [flag, limitName]]): Promise<Finding> => {
    const id = `namespace-${kind}`;
    const limitPath = `/proc/sys/user/${limitName}`;
    const limit = host.read(limitPath)?.trim();
    if (!host.exists(`/proc/self/ns/${kind}`)) {
      return missing(id, 'not in this kernel', `use a kernel that is built with ${kind} namespaces`);
    }
    if (limit === '0') return missing(id, `user.${limitName} is 0`, `sysctl -w user.${limitName}=10000`);
    const most = `at most ${limit ?? 'unknown'}`;
    if (unshare === undefined) {
      return warning(id, `${most}; not tried`, 'install util-linux, so that this can try it');
    }
    // A pid namespace begins with the next child, so that one needs a fork.
    const { done, output } = await host.run(unshare, [flag, ...(kind === 'pid' ? ['--fork'] : []), 'true']);
    if (done) return ok(id, most);
    return missing(id, output, 'run as root, where no other container runtime or LSM forbids it');
  });
  return Promise.all(checks);
}

const controllers = ['cpu', 'memory', 'pids'] as const;

function cgroupChecks(host: Host): Finding[] {
  const mounts = (host.read('/proc/self/mountinfo') ?? '').split('\n').map((line) => line.split(' '));
  const unified = mounts.find((fields) => fields.at(fields.indexOf('-') + 1) === 'cgroup2')?.[4];
  const v1 = mounts.filter((fields) => fields.at(fields.indexOf('-') + 1) === 'cgroup');
  const onV2 = (unified === undefined ? undefined : host.read(`${unified}/cgroup.controllers`))?.split(/\s+/) ?? [];
  const version = v1.length === 0 ? 'v2' : unified === undefined ? 'v1' : 'v1 with a v2 tree (hybrid)';
  const remedy =
    'mount it: on systemd hosts it is under /sys/fs/cgroup; in a container, give it a writable cgroup tree';
  if (unified === undefined && v1.length === 0) return [missing('cgroups', 'not mounted', remedy)];
  const each = controllers.map((name) => {
    const id = `cgroup-${name}`;
    if (onV2.includes(name)) return ok(id, `v2 at ${unified}`);
    const mount = v1.find((fields) => fields.at(-1)?.split(',').includes(name))?.[4];
    if (mount !== undefined) return ok(id, `v1 at ${mount}`);
    return missing(id, 'no such controller', `boot with the ${name} controller enabled (cgroup_enable=${name})`);
  });
  return [ok('cgroups', version), ...each, blockIo(onV2, v1)];
}

/** Without it, `io` of a hob.json has no effect. */
function blockIo(onV2: readonly string[], v1: readonly (readonly string[])[]): Finding {
  if (onV2.includes('io')) return ok('cgroup-io', 'v2');
  const mount = v1.find((fields) => fields.at(-1)?.split(',').includes('blkio'))?.[4];
  if (mount !== undefined) return ok('cgroup-io', `v1 (blkio) at ${mount}`);
  return warning('cgroup-io', 'no such controller', 'mount it: else "io" of a hob.json has no effect');
}

function seccomp(host: Host): Finding {
  const actions = host.read('/proc/sys/kernel/seccomp/actions_avail')?.trim();
  if (actions === undefined) return missing('seccomp', 'not in this kernel', 'use a kernel with CONFIG_SECCOMP_FILTER');
  if (actions.includes('kill_process')) return ok('seccomp', actions);
  return missing('seccomp', actions, 'use a kernel of 4.14 or newer, which can end a whole process');
}

function lsm(host: Host): Finding {
  const active = host.read('/sys/kernel/security/lsm')?.trim();
  const remedy = 'mount -t securityfs none /sys/kernel/security';
  if (active === undefined) return warning('lsm', 'unknown, because securityfs is not mounted', remedy);
  if (/\b(?:landlock|apparmor|selinux)\b/.test(active)) return ok('lsm', active);
  return warning('lsm', active || 'none', 'enable landlock or AppArmor (boot with lsm=landlock,…): one more wall');
}

function fileSystem(host: Host, name: 'tmpfs' | 'overlay'): Finding {
  const known = new RegExp(`\\b${name}$`, 'm').test(host.read('/proc/filesystems') ?? '');
  if (known) return ok(name, 'in this kernel');
  if (name === 'tmpfs') return missing(name, 'not in this kernel', 'use a kernel with CONFIG_TMPFS');
  return warning(name, 'not loaded', 'modprobe overlay');
}

function swap(host: Host): Finding {
  const areas = (host.read('/proc/swaps') ?? '').trim().split('\n').slice(1);
  if (areas.length === 0) return ok('swap', 'none');
  const names = areas.map((line) => line.split(/\s/)[0]).join(', ');
  const onV1 = host.exists('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes');
  if (onV1 || !host.exists('/sys/fs/cgroup/memory')) return ok('swap', `${names}; containers get none`);
  return warning('swap', names, 'boot with swapaccount=1 or run swapoff -a: else a container may swap');
}

function openFiles(host: Host): Finding {
  const soft = /^Max open files\s+(\S+)/m.exec(host.read('/proc/self/limits') ?? '')?.[1] ?? 'unknown';
  if (soft === 'unlimited' || Number(soft) >= 4096) return ok('open-files', soft);
  return warning(
    'open-files',
    soft,
    'ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit: a container needs eight',
  );
}

/** CAP_SYS_RESOURCE of capabilities(7). */
const SYS_RESOURCE = 24n;

function resources(host: Host): Finding {
  const effective = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)/m.exec(host.read('/proc/self/status') ?? '')?.[1] ?? '0'}`);
  if ((effective & (1n << SYS_RESOURCE)) !== 0n) return ok('resources', 'limits can be raised');
  return warning(
    'resources',
    'no CAP_SYS_RESOURCE',
    'give hob this capability: else a function with "nofile" above 1024 cannot be started',
  );
}
