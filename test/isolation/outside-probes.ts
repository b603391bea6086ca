/** What the host's kernel says of a live container: one probe for each row of `outside-attempts.ts` that needs no call. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { driverDefaults } from '@hob/scheduler';
import { NOT_HERE } from './attempt.ts';
import { cgroupFile, mountsOf, namespaceOf, statusField } from './container-sight.ts';

/** The processes that the probes look at. */
export interface Sight {
  /** First process of the container that runs the hostile function. */
  readonly pid: number;
  /** First process of another container, which is parked. */
  readonly neighbourPid: number;
  readonly zygotePid: number;
}

type Probe = (sight: Sight) => string;

const namespaces = ['pid', 'mnt', 'net', 'uts', 'ipc', 'cgroup', 'user', 'time'] as const;
const O_CLOEXEC = 0o2000000;

const ofStatus =
  (name: string): Probe =>
  ({ pid }) =>
    statusField(pid, name);
const ofCgroup =
  (name: string): Probe =>
  ({ pid }) =>
    cgroupFile(pid, name)?.replaceAll('\n', ', ') ?? NOT_HERE;

/** Soft and hard value of a resource limit. */
function limit(name: string): Probe {
  return ({ pid }) => {
    const line = readFileSync(`/proc/${pid}/limits`, 'utf8')
      .split('\n')
      .find((text) => text.startsWith(name));
    return line?.slice(name.length).trim().split(/\s+/).slice(0, 2).join(' ') ?? '';
  };
}

/** The mount points whose options lack a word. */
function mountsWithout(option: string): Probe {
  return ({ pid }) =>
    mountsOf(pid)
      .filter(({ options }) => !options.has(option))
      .map(({ point }) => point)
      .toSorted()
      .join(' ');
}

function descriptorsOf(pid: number): { readonly target: string; readonly flags: number }[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
      const isStandard = Number(fd) < 3;
      return isStandard ? [] : [{ target: readlinkSync(`/proc/${pid}/fd/${fd}`), flags: Number.parseInt(flags, 8) }];
    } catch {
      return []; // closed meanwhile
    }
  });
}

function session({ pid }: Sight): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[3]) === pid ? 'the first process' : `another: ${fields[3]}`;
}

function terminal({ pid }: Sight): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] ?? '';
}

function uid({ pid }: Sight): string {
  const ids = new Set([...statusField(pid, 'Uid').split('\t'), ...statusField(pid, 'Gid').split('\t')].map(Number));
  const [id = 0] = ids;
  const { hostUidFirst, hostUids } = driverDefaults;
  const right = ids.size === 1 && id >= hostUidFirst && id < hostUidFirst + hostUids;
  return right ? 'one in the range, the same four times' : [...ids].join(' ');
}

function maps({ pid }: Sight): string {
  const id = statusField(pid, 'Uid').split('\t')[0];
  const texts = ['uid_map', 'gid_map', 'projid_map'].map((file) =>
    readFileSync(`/proc/${pid}/${file}`, 'utf8').trim().replaceAll(/ +/g, ' '),
  );
  return texts.every((text) => text === `1000 ${id} 1`) ? '1000 to itself, one line each' : texts.join('; ');
}

function label({ pid }: Sight): string {
  try {
    const text = readFileSync(`/proc/${pid}/attr/current`, 'utf8').replace(/[\0\n]+$/, '');
    return text.replace(/:c\d+,c\d+$/, ' and a pair of categories');
  } catch {
    return 'none';
  }
}

/** The same file, if it were the host's, would be the same inode of the same file system. */
function ownLibc({ pid }: Sight): string {
  const path = process.arch === 'x64' ? 'lib/x86_64-linux-gnu/libc.so.6' : 'lib/aarch64-linux-gnu/libc.so.6';
  const [inside, outside] = [statSync(`/proc/${pid}/root/usr/${path}`), statSync(`/usr/${path}`)];
  return inside.ino === outside.ino && inside.dev === outside.dev ? "the host's" : 'a copy';
}

function interfaces({ pid }: Sight): string {
  const lines = readFileSync(`/proc/${pid}/net/dev`, 'utf8').trimEnd().split('\n').slice(2);
  return lines.map((line) => line.split(':')[0]?.trim()).join(' ');
}

function capabilities({ pid }: Sight): string {
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => statusField(pid, name));
  return [...new Set(sets)].join(' ');
}

export const probes: Readonly<Record<string, Probe>> = {
  'zygote-environment': ({ zygotePid }) =>
    readFileSync(`/proc/${zygotePid}/environ`, 'latin1').replaceAll('\0', '').trim(),
  'zygote-descriptors': ({ zygotePid }) =>
    String(descriptorsOf(zygotePid).filter(({ flags }) => (flags & O_CLOEXEC) === 0).length),
  'zygote-sockets': ({ zygotePid }) =>
    String(descriptorsOf(zygotePid).filter(({ target }) => target.startsWith('socket:')).length),
  session,
  terminal,
  'blocked-signals': ofStatus('SigBlk'),
  'ignored-signals': ofStatus('SigIgn'),
  'limits-before-code': ({ neighbourPid }) => {
    const bytes = Number(cgroupFile(neighbourPid, 'memory.max') ?? cgroupFile(neighbourPid, 'memory.limit_in_bytes'));
    return bytes > 0 && bytes < 2 ** 40 ? 'set' : `not set: ${bytes}`;
  },
  ...Object.fromEntries(
    namespaces.map((kind): [string, Probe] => [
      `namespace-${kind}`,
      ({ pid }) => (namespaceOf(pid, kind) === namespaceOf('self', kind) ? "the host's" : 'its own'),
    ]),
  ),
  uid,
  'uid-of-neighbour': ({ pid, neighbourPid }) =>
    statusField(pid, 'Uid') === statusField(neighbourPid, 'Uid') ? 'the same' : 'another',
  'uid-map': maps,
  setgroups: ({ pid }) => readFileSync(`/proc/${pid}/setgroups`, 'utf8').trim(),
  propagation: ({ pid }) =>
    mountsOf(pid)
      .flatMap((mount) => mount.propagation)
      .join(' ') || 'private',
  'mount-points': ({ pid }) =>
    mountsOf(pid)
      .map(({ point }) => point)
      .toSorted()
      .join(' '),
  'mounts-setuid': mountsWithout('nosuid'),
  'mounts-devices': mountsWithout('nodev'),
  'mounts-programs': mountsWithout('noexec'),
  'mounts-writable': mountsWithout('ro'),
  'proc-options': ({ pid }) =>
    mountsOf(pid)
      .find(({ point }) => point === '/proc')
      ?.superOptions.filter((option) => /^(?:hidepid|subset)=/.test(option))
      .toSorted()
      .join(' ') ?? '',
  'own-libc': ownLibc,
  capabilities,
  groups: ofStatus('Groups'),
  'no-new-privs-outside': ofStatus('NoNewPrivs'),
  'seccomp-outside': ofStatus('Seccomp'),
  'core-limit': limit('Max core file size'),
  'descriptor-limit': limit('Max open files'),
  'queue-limit': limit('Max msgqueue size'),
  'signal-limit': limit('Max pending signals'),
  'locked-limit': limit('Max locked memory'),
  'oom-score': ({ pid }) => readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(),
  'lsm-label': label,
  'memory-max': ofCgroup('memory.max'),
  'swap-max': ofCgroup('memory.swap.max'),
  'oom-group': ofCgroup('memory.oom.group'),
  'cpu-max': ofCgroup('cpu.max'),
  'pids-max': ofCgroup('pids.max'),
  'memory-limit': ofCgroup('memory.limit_in_bytes'),
  'swap-limit': ofCgroup('memory.memsw.limit_in_bytes'),
  'cpu-quota': ofCgroup('cpu.cfs_quota_us'),
  'devices-list': ofCgroup('devices.list'),
  interfaces,
  'unix-sockets': ({ pid }) => {
    const lines = readFileSync(`/proc/${pid}/net/unix`, 'utf8').trimEnd().split('\n').slice(1);
    return String(lines.filter((line) => line.split(/\s+/).length > 7).length);
  },
};
