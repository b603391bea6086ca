import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeHost, judgeLines } from '../src/doctor/isolation/checklist.ts';
import type { ContainerSight, HostSight, Sight } from '../src/doctor/isolation/sight.ts';
import type { Verdict } from '../src/doctor/isolation/verdict.ts';

const wellStatus = {
  Uid: '2000000\t2000000\t2000000\t2000000',
  Groups: '',
  SigBlk: '0000000000000000',
  NoNewPrivs: '1',
  Seccomp: '2',
  ...Object.fromEntries(['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => [name, '0000000000000000'])),
};

function statusText(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('');
}

const mounts = {
  '/': 'ro,nosuid,nodev,relatime - ext4 /dev/vda rw',
  '/proc': 'rw,nosuid,nodev,noexec - proc proc rw,hidepid=invisible,subset=pid',
  '/dev': 'ro,nosuid,noexec - tmpfs tmpfs rw,size=64k,nr_inodes=32',
  '/dev/shm': 'rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=8192k,nr_inodes=1024',
  '/tmp': 'rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=65536k,nr_inodes=16384',
};

function mountText(points: Readonly<Record<string, string>>): string {
  return Object.entries(points)
    .map(([point, rest], index) => `${index} 1 0:1 / ${point} ${rest}\n`)
    .join('');
}

const limits = {
  'Max file size': '1073741824           1073741824           bytes',
  'Max core file size': '1                    1                    bytes',
  'Max processes': '8192                 8192                 processes',
  'Max open files': '1024                 1024                 files',
  'Max locked memory': '65536                65536                bytes',
  'Max pending signals': '1024                 1024                 signals',
  'Max msgqueue size': '0                    0                    bytes',
};

function limitText(rows: Readonly<Record<string, string>>): string {
  return Object.entries(rows)
    .map(([name, value]) => `${name.padEnd(26)}${value}\n`)
    .join('');
}

const v2Files = {
  'memory.max': '134217728',
  'memory.swap.max': '0',
  'memory.oom.group': '1',
  'cpu.max': '100000 100000',
  'pids.max': '128',
  'io.max': '',
  'cgroup.max.descendants': '0',
};
const v1Files = {
  'memory.limit_in_bytes': '134217728',
  'memory.memsw.limit_in_bytes': '134217728',
  'cpu.cfs_quota_us': '100000',
  'pids.max': '128',
  'devices.list': 'c 1:3 rwm\nc 1:5 rwm\nc 1:7 rwm\nc 1:8 rwm\nc 1:9 rwm',
  'blkio.throttle.read_bps_device': '',
};

const container: ContainerSight = {
  kind: 'forked',
  status: statusText(wellStatus),
  stat: '77 (node) S 1 77 77 0 -1 4194560',
  mountinfo: mountText(mounts),
  limits: limitText(limits),
  maps: ['1000 2000000 1', '1000 2000000 1'],
  setgroups: 'deny',
  timeOffsets: 'monotonic           -2560 495102164\nboottime            -2560 495101834\n',
  netDev: 'Inter-|   Receive\n face |bytes\n    lo:       0       0\n',
  apparmor: '',
  selinux: '',
  cgroup: '0::/hob/a/c-1-0\n',
  sharedNamespaces: [],
  descriptors: ['pipe:[N]', 'pipe:[N]', 'pipe:[N]', 'socket:[N]', 'anon_inode:[eventpoll]', 'anon_inode:[eventfd]'],
  rootNames: ['bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'sbin', 'tmp', 'usr', 'var'],
  devices: ['full c 1:7', 'null c 1:3', 'random c 1:8', 'urandom c 1:9', 'zero c 1:5'],
  userLimits: new Map(Object.entries({ max_user_namespaces: 0, max_net_namespaces: 0, max_inotify_watches: 8192 })),
  cgroupFiles: new Map(Object.entries(v2Files)),
};
const host: HostSight = {
  landlockAbi: 7,
  apparmor: false,
  selinux: undefined,
  lacks: [],
  seccompActions: 'kill_process errno allow',
  timeNamespace: true,
  cgroups: 'v2',
  besideSystemd: false,
  swap: false,
};

interface Changes {
  readonly container?: Partial<ContainerSight>;
  readonly host?: Partial<HostSight>;
  readonly sight?: Partial<Sight>;
}

function sightOf({ container: inside, host: outside, sight }: Changes): Sight {
  const changed = { ...container, ...inside };
  const executed: ContainerSight = { ...changed, kind: 'executed', descriptors: ['pipe:[N]', 'socket:[N]'] };
  const zygote = { environment: '', inheritable: 0 };
  return { host: { ...host, ...outside }, containers: [changed, executed], zygote, left: [], ...sight };
}

const v1 = { container: { cgroupFiles: new Map(Object.entries(v1Files)) }, host: { cgroups: 'hybrid' } } as const;

test('doctor calls every line enforced where all is well, with v2, with v1 beside v2, and with each module in force', () => {
  const kinds: Changes[] = [
    {},
    v1,
    { host: { apparmor: true }, container: { apparmor: 'hob-container (enforce)' } },
    { host: { selinux: 'enforcing' }, container: { selinux: 'system_u:system_r:hob_container_t:s0:c0,c1' } },
  ];
  for (const kind of kinds) {
    const lines = judgeLines(sightOf(kind));
    assert.deepEqual(
      lines.map(({ line }) => line),
      Array.from({ length: 26 }, (_, index) => index + 1),
    );
    assert.deepEqual(
      lines.filter(({ state }) => state !== 'enforced'),
      [],
    );
  }
});

const withStatus = (fields: Record<string, string>): Changes => ({
  container: { status: statusText({ ...wellStatus, ...fields }) },
});
const withMount = (point: string, rest: string): Changes => ({
  container: { mountinfo: mountText({ ...mounts, [point]: rest }) },
});
const withFile = (files: object, name: string, text: string | undefined): Partial<ContainerSight> => {
  const changed = new Map(Object.entries(files as Record<string, string>));
  if (text === undefined) changed.delete(name);
  else changed.set(name, text);
  return { cgroupFiles: changed };
};

const faults: readonly (readonly [line: number, state: Verdict['state'], what: string, changes: Changes])[] = [
  [1, 'missing', 'an environment', { sight: { zygote: { environment: 'TOKEN=x', inheritable: 0 } } }],
  [1, 'missing', 'an inheritable descriptor', { sight: { zygote: { environment: '', inheritable: 1 } } }],
  [2, 'missing', "another's session", { container: { stat: '77 (node) S 1 77 12 0 -1' } }],
  [2, 'missing', 'a terminal', { container: { stat: '77 (a b) c) S 1 77 77 34816 -1' } }],
  [2, 'missing', 'blocked signals', withStatus({ SigBlk: '0000000000000001' })],
  [3, 'missing', 'the top cgroup', { container: { cgroup: '0::/\n' } }],
  [4, 'missing', "the host's cgroup namespace", { container: { sharedNamespaces: ['cgroup'] } }],
  [5, 'missing', "the host's ipc namespace", { container: { sharedNamespaces: ['ipc'] } }],
  [5, 'weaker', "the host's clocks", { container: { sharedNamespaces: ['time'] } }],
  [5, 'weaker', 'no offsets', { container: { timeOffsets: 'monotonic           0         0\n' } }],
  [6, 'missing', 'uid 0', withStatus({ Uid: '0\t0\t0\t0' })],
  [6, 'missing', 'a wide map', { container: { maps: ['0 0 4294967295', '1000 2000000 1'] } }],
  [6, 'missing', 'groups allowed', { container: { setgroups: 'allow' } }],
  [6, 'weaker', 'namespaces allowed', { container: { userLimits: new Map([['max_user_namespaces', 1]]) } }],
  [6, 'weaker', 'nobody to ask', { container: { userLimits: undefined } }],
  [7, 'missing', 'a shared mount', withMount('/tmp', `rw,nosuid,nodev,noexec shared:7 ${mounts['/tmp'].slice(23)}`)],
  [8, 'missing', 'a writable root', withMount('/', 'rw,nosuid,nodev - ext4 /dev/vda rw')],
  [8, 'missing', 'set-uid programs', withMount('/', 'ro,nodev - ext4 /dev/vda rw')],
  [8, 'missing', 'programs in /tmp', withMount('/tmp', 'rw,nosuid,nodev - tmpfs tmpfs rw,size=1k,nr_inodes=1')],
  [9, 'missing', 'no size', withMount('/tmp', 'rw,nosuid,nodev,noexec - tmpfs tmpfs rw,nr_inodes=1')],
  [10, 'missing', 'a disk', { container: { devices: [...container.devices, 'vda b 254:0'] } }],
  [11, 'missing', 'a whole /proc', withMount('/proc', 'rw,nosuid,nodev,noexec - proc proc rw')],
  [11, 'missing', 'a /sys', { container: { rootNames: [...container.rootNames, 'sys'] } }],
  [12, 'missing', 'another mount', withMount('/mnt', 'ro,nosuid,nodev,noexec - ext4 /dev/vda rw')],
  [13, 'missing', "the host's name", { container: { sharedNamespaces: ['uts'] } }],
  [13, 'missing', 'other folders', { container: { rootNames: [...container.rootNames, 'home'] } }],
  [14, 'missing', 'a capability', withStatus({ CapBnd: '0000000000200000' })],
  [14, 'missing', 'a group', withStatus({ Groups: '27' })],
  [15, 'missing', 'new privileges', withStatus({ NoNewPrivs: '0' })],
  [15, 'missing', 'a file of the host', { container: { descriptors: ['/etc/shadow'] } }],
  [
    16,
    'missing',
    'core dumps',
    { container: { limits: limitText({ ...limits, 'Max core file size': '0      0      bytes' }) } },
  ],
  [17, 'missing', 'a profile that is not loaded', { host: { apparmor: true, lacks: ['AppArmor is in force'] } }],
  [17, 'missing', 'no label', { host: { apparmor: true }, container: { apparmor: 'unconfined' } }],
  [17, 'missing', 'no context', { host: { selinux: 'enforcing' }, container: { selinux: 'u:r:kernel_t:s0' } }],
  [17, 'missing', 'no module at all', { host: { landlockAbi: 0 } }],
  [18, 'missing', 'no filter', withStatus({ Seccomp: '0' })],
  [18, 'missing', 'no seccomp', { host: { seccompActions: '' } }],
  [19, 'missing', 'no memory limit', { container: withFile(v2Files, 'memory.max', 'max') }],
  [19, 'missing', 'groups below', { container: withFile(v2Files, 'cgroup.max.descendants', 'max') }],
  [19, 'weaker', 'swap', { host: { swap: true }, container: withFile(v2Files, 'memory.swap.max', undefined) }],
  [19, 'weaker', 'no io', { container: withFile(v2Files, 'io.max', undefined) }],
  [19, 'weaker', "systemd's tree", { host: { besideSystemd: true } }],
  [20, 'missing', 'no bandwidth', { ...v1, container: withFile(v1Files, 'cpu.cfs_quota_us', '-1') }],
  [20, 'missing', 'all devices', { ...v1, container: withFile(v1Files, 'devices.list', 'a *:* rwm') }],
  [20, 'weaker', 'swap', { ...v1, container: withFile(v1Files, 'memory.memsw.limit_in_bytes', undefined) }],
  [20, 'weaker', 'no blkio', { ...v1, container: withFile(v1Files, 'blkio.throttle.read_bps_device', undefined) }],
  [20, 'weaker', 'no v2 tree', { ...v1, host: { cgroups: 'v1' } }],
  [21, 'weaker', 'watches', { container: { userLimits: new Map([['max_inotify_watches', 1e6]]) } }],
  [22, 'missing', 'an interface', { container: { netDev: `${container.netDev}  eth0:    0    0\n` } }],
  [23, 'missing', "the host's sockets", { container: { sharedNamespaces: ['net'] } }],
  [24, 'missing', 'a process that is left', { sight: { left: ['process 77'] } }],
];

for (const [number, state, what, changes] of faults) {
  test(`doctor calls line ${number} ${state} for ${what}, and says what it means`, () => {
    const line = judgeLines(sightOf(changes)).find((each) => each.line === number);
    assert.equal(line?.state, state, line?.found);
    assert.ok(line.means);
  });
}

test('doctor judges by the host alone what it can, and calls the rest unknown', () => {
  const lines = judgeHost({ ...host, landlockAbi: 0, timeNamespace: false }, 'it needs root');
  const states = new Map(lines.map(({ line, state }) => [line, state]));
  assert.deepEqual(
    [5, 17, 18, 19, 1, 26].map((line) => states.get(line)),
    ['weaker', 'missing', 'enforced', 'enforced', 'unknown', 'unknown'],
  );
});
