import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding, Host } from '../src/doctor/finding.ts';
import { kernelChecks } from '../src/doctor/kernel-checks.ts';
import type { IsolationLine } from '../src/doctor/isolation/verdict.ts';
import { networkChecks } from '../src/doctor/network-checks.ts';
import { programChecks } from '../src/doctor/program-checks.ts';
import { hob } from './fakes/command-run.ts';

const kinds = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user'];
const places = {
  nodeVersion: '24.21.0',
  platform: 'linux-x64',
  dataDir: '/var/lib/hob',
  foreignRedis: false,
  libraries: ['/hob/libhob.so', '/hob/libhobfork.so'],
  rootfs: '/hob/rootfs',
};

/** What a machine on which all is well has, by path. */
const wellFiles: Readonly<Record<string, string>> = {
  '/proc/sys/kernel/osrelease': '6.1.0-13-amd64\n',
  '/proc/self/status': 'Name:\thob\nUid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n',
  '/proc/self/mountinfo': '30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process kill_thread trap errno trace log allow\n',
  '/sys/kernel/security/lsm': 'lockdown,capability,landlock,yama,apparmor,bpf\n',
  '/proc/filesystems': 'nodev\tsysfs\nnodev\ttmpfs\nnodev\toverlay\n\text4\n',
  '/proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n',
  '/proc/self/limits': 'Max open files            1048576              1048576              files\n',
  '/usr/lib/x86_64-linux-gnu/libseccomp.so.2': '',
  '/hob/libhob.so': '',
  '/hob/libhobfork.so': '',
  '/hob/rootfs': '',
  '/var/lib/hob': '',
  ...Object.fromEntries(kinds.map((kind) => [`/proc/self/ns/${kind}`, ''])),
  ...Object.fromEntries(kinds.map((kind) => [`/proc/sys/user/max_${kind}_namespaces`, '31370\n'])),
};

interface Machine {
  /** Files that differ from a machine on which all is well; undefined for one that is not there. */
  readonly files?: Readonly<Record<string, string | undefined>>;
  readonly commands?: readonly string[];
  /** Flags of unshare(1) that the kernel refuses. */
  readonly refused?: readonly string[];
  readonly freeBytes?: number;
  /** What `nft list chains` says; `refused` when it fails. */
  readonly chains?: string;
}

function machine({
  files = {},
  commands = ['unshare', 'redis-server', 'nft'],
  refused = [],
  freeBytes = 1e12,
  chains = '',
}: Machine): Host {
  const all: Readonly<Record<string, string | undefined>> = { ...wellFiles, ...files };
  return {
    read: (path) => all[path],
    exists: (path) => path === '/' || all[path] !== undefined,
    freeBytes: () => freeBytes,
    which: (command) => (commands.includes(command) ? `/usr/bin/${command}` : undefined),
    async run(command, args) {
      if (command.endsWith('redis-server')) return { done: true, output: 'Redis server v=7.0.15 sha=0:0 bits=64' };
      if (command.endsWith('nft')) return { done: chains !== 'refused', output: chains };
      const denied = args.some((flag) => refused.includes(flag));
      return { done: !denied, output: denied ? 'unshare failed: Operation not permitted' : '' };
    },
  };
}

async function findings(what: Machine): Promise<Map<string, Finding>> {
  const host = machine(what);
  const all = [...(await programChecks(host, places)), ...(await kernelChecks(host)), ...(await networkChecks(host))];
  const byId = new Map(all.map((finding) => [finding.id, finding]));
  assert.equal(byId.size, all.length, 'ids differ');
  return byId;
}

test('doctor finds nothing wrong with a machine that has everything', async () => {
  const unwell = [...(await findings({})).values()].filter(({ state }) => state !== 'ok');
  assert.deepEqual(unwell, []);
});

const faults: readonly (readonly [what: string, machine: Machine, id: string, state: Finding['state']])[] = [
  ['an old kernel', { files: { '/proc/sys/kernel/osrelease': '5.10.0' } }, 'kernel', 'missing'],
  ['another user', { files: { '/proc/self/status': 'Uid:\t1\t1000\t1\t1\nCapEff:\t0\n' } }, 'root', 'missing'],
  [
    'root without CAP_SYS_ADMIN',
    { files: { '/proc/self/status': 'Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n' } },
    'root',
    'missing',
  ],
  ['no user namespaces', { files: { '/proc/sys/user/max_user_namespaces': '0\n' } }, 'namespace-user', 'missing'],
  ['a kernel without one kind', { files: { '/proc/self/ns/cgroup': undefined } }, 'namespace-cgroup', 'missing'],
  ['a refused namespace', { refused: ['--net'] }, 'namespace-net', 'missing'],
  ['no unshare(1) to try with', { commands: ['redis-server'] }, 'namespace-pid', 'warning'],
  ['no cgroups', { files: { '/proc/self/mountinfo': '' } }, 'cgroups', 'missing'],
  [
    'a controller that is off',
    { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu pids\n' } },
    'cgroup-memory',
    'missing',
  ],
  [
    'no controller for block devices',
    { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n' } },
    'cgroup-io',
    'warning',
  ],
  [
    'root without CAP_SYS_RESOURCE',
    { files: { '/proc/self/status': 'Uid:\t0\t0\t0\t0\nCapEff:\t000001fffeffffff\n' } },
    'resources',
    'warning',
  ],
  ['no seccomp', { files: { '/proc/sys/kernel/seccomp/actions_avail': undefined } }, 'seccomp', 'missing'],
  ['no LSM', { files: { '/sys/kernel/security/lsm': 'capability\n' } }, 'lsm', 'warning'],
  ['no securityfs', { files: { '/sys/kernel/security/lsm': undefined } }, 'lsm', 'warning'],
  ['no tmpfs', { files: { '/proc/filesystems': 'nodev\toverlay\n' } }, 'tmpfs', 'missing'],
  [
    'few descriptors',
    { files: { '/proc/self/limits': 'Max open files   1024   4096   files\n' } },
    'open-files',
    'warning',
  ],
  ['no redis-server', { commands: ['unshare'] }, 'redis-server', 'missing'],
  ['no libseccomp', { files: { '/usr/lib/x86_64-linux-gnu/libseccomp.so.2': undefined } }, 'libseccomp', 'missing'],
  ['a library that is not built', { files: { '/hob/libhobfork.so': undefined } }, 'libhob', 'missing'],
  ['no root filesystem', { files: { '/hob/rootfs': undefined } }, 'rootfs', 'missing'],
  ['no nft', { commands: ['unshare', 'redis-server'] }, 'egress', 'warning'],
  ['a kernel without nftables', { chains: 'refused' }, 'egress', 'warning'],
  [
    'a packet filter that forwards nothing',
    {
      chains:
        'table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n',
    },
    'egress',
    'warning',
  ],
  [
    'an IPv6 default route that forwarding would end',
    {
      files: {
        '/proc/sys/net/ipv6/conf/all/forwarding': '0\n',
        '/proc/net/ipv6_route': `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 ${'f'.repeat(32)} 00000400 1 0 00450003 eth0\n`,
      },
    },
    'egress-ipv6',
    'warning',
  ],
  ['a full disk', { freeBytes: 1000 }, 'data-folder', 'warning'],
];

for (const [what, fault, id, state] of faults) {
  test(`doctor says what to do about ${what}`, async () => {
    const finding = (await findings(fault)).get(id);
    assert.equal(finding?.state, state);
    assert.ok(finding.remedy, 'a remedy is told');
  });
}

test('doctor finds controllers of cgroup v1 and of hybrid hosts', async () => {
  const mountinfo = [
    '31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    '32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
    '33 24 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '34 24 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids',
  ].join('\n');
  const files = { '/proc/self/mountinfo': mountinfo, '/sys/fs/cgroup/unified/cgroup.controllers': '\n' };
  const all = await findings({ files });
  assert.match(all.get('cgroups')?.found ?? '', /hybrid/);
  assert.equal(all.get('cgroup-cpu')?.found, 'v1 at /sys/fs/cgroup/cpu,cpuacct');
  assert.equal(all.get('cgroup-pids')?.state, 'ok');
});

test('hob doctor --json works without a server, and its exit code agrees with what it found', async () => {
  const { code, stdout } = await hob(['doctor', '--json'], { env: { HOB_URL: 'http://127.0.0.1:1' } });
  const { ok, findings: found } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  assert.equal(code, ok ? 0 : 1);
  assert.equal(
    ok,
    found.every(({ state }) => state !== 'missing'),
  );
  assert.equal(found.find(({ id }) => id === 'node')?.found, process.versions.node);
  for (const { state, remedy } of found) assert.equal(remedy === undefined, state === 'ok');
});

test('hob doctor judges every line of the checklist, by containers that it makes as root', async () => {
  const { stdout } = await hob(['doctor', '--json']);
  const { isolation, isolationProblem } = JSON.parse(stdout) as {
    isolation: IsolationLine[];
    isolationProblem?: string;
  };
  assert.equal(isolationProblem, undefined);
  assert.deepEqual(
    isolation.map(({ line }) => line),
    Array.from({ length: 26 }, (_, index) => index + 1),
  );
  const isRoot = process.getuid?.() === 0;
  for (const { state, means, line } of isolation) {
    assert.equal(means !== undefined, state === 'weaker' || state === 'missing', String(line));
    if (isRoot) assert.notEqual(state, 'unknown');
  }
});

test('hob doctor prints one line for each thing, and a remedy below what is not well', async () => {
  const env = { HOB_ROOTFS: '/nonexistent' };
  const { code, stdout, stderr } = await hob(['doctor'], { env });
  assert.equal(code, 1);
  assert.match(stdout, /^missing  rootfs +\/nonexistent not built\n +→ run "npm start"/m);
  assert.match(stderr, /^no container could be made to look at: .*\n/);
  assert.match(stderr, /\nhob cannot run here: \d+ missing\n$/);
});
