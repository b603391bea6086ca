import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { detectCgroups } from '../../src/driver/cgroup-host.ts';
import { driverDefaults } from '../../src/driver/driver-options.ts';
import { driverOptions, evaluate, withDriver } from './real-driver.ts';

const MiB = 1024 * 1024;

async function withContainer(use: (container: ContainerProcess) => Promise<void>): Promise<void> {
  await withDriver(async (driver) => use(await driver.create('nodejs24.x', 128)));
}

/** Runs an attempt inside and gives the error's code, or what it returned. */
function attempt(container: ContainerProcess, expression: string): Promise<string> {
  return evaluate(container, `try { return (${expression}) } catch (error) { return error.code ?? error.message }`);
}

test('a container has a uid of its own, no capability, no new privileges and a seccomp filter', async () => {
  await withContainer(async (container) => {
    const status = readFileSync(`/proc/${container.pid}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
    const uid = driverDefaults.hostUidFirst;
    assert.equal(field('Uid'), `${uid}\t${uid}\t${uid}\t${uid}`);
    assert.equal(field('Gid'), `${uid}\t${uid}\t${uid}\t${uid}`);
    assert.equal(field('Groups').trim(), '');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.equal(field(set), '0000000000000000');
    assert.equal(field('NoNewPrivs'), '1');
    assert.equal(field('Seccomp'), '2');
    assert.equal(readFileSync(`/proc/${container.pid}/uid_map`, 'utf8').trim().split(/\s+/).join(' '), `1000 ${uid} 1`);
    assert.equal(readFileSync(`/proc/${container.pid}/setgroups`, 'utf8').trim(), 'deny');
  });
});

test('a container shares no namespace with the host', async () => {
  await withContainer(async (container) => {
    for (const kind of ['pid', 'mnt', 'net', 'uts', 'ipc', 'cgroup', 'user']) {
      assert.notEqual(readlinkSync(`/proc/${container.pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
    }
  });
});

test('a container sees only its own mounts, all but /tmp and /dev/shm read-only', async () => {
  await withContainer(async (container) => {
    const mounts = readFileSync(`/proc/${container.pid}/mountinfo`, 'utf8').trim().split('\n');
    const seen = mounts.map((line) => [line.split(' ')[4], line.split(' ')[5]?.split(',').slice(0, 4).join()]);
    assert.deepEqual(seen, [
      ['/', 'ro,nosuid,nodev,relatime'],
      ['/proc', 'rw,nosuid,nodev,noexec'],
      ['/dev', 'ro,nosuid,noexec,relatime'],
      ['/dev/shm', 'rw,nosuid,nodev,noexec'],
      ['/tmp', 'rw,nosuid,nodev,noexec'],
    ]);
    assert.equal(await attempt(container, "fs.writeFileSync('/usr/x', '')"), 'EROFS');
  });
});

test('a container has no descriptor but its pipes, its frames and its event loop', async () => {
  await withContainer(async (container) => {
    const dir = `/proc/${container.pid}/fd`;
    const kinds = readdirSync(dir).map((fd) => readlinkSync(`${dir}/${fd}`).replace(/\d+/, 'N'));
    const allowed = new Set(['pipe:[N]', 'socket:[N]', 'anon_inode:[eventpoll]', 'anon_inode:[eventfd]']);
    for (const kind of kinds) assert.ok(allowed.has(kind), kind);
    assert.equal(kinds.filter((kind) => kind.startsWith('socket')).length, 1);
  });
});

test('a container shares no event loop, signal lock or io_uring with its zygote', async () => {
  await withDriver(async (driver) => {
    const container = await driver.create('nodejs24.x', 128);
    const zygote = driver.zygotes()[0]?.pid;
    const ids = (pid: number | undefined): Set<string> =>
      new Set(
        readdirSync(`/proc/${pid}/fdinfo`)
          .map(
            (fd) => [readlinkSync(`/proc/${pid}/fd/${fd}`), readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')] as const,
          )
          .map(([link, info]) => /eventfd-id: *\d+/.exec(info)?.[0] ?? link)
          .filter((id) => id !== 'anon_inode:[eventpoll]'),
      );
    const inside = ids(container.pid);
    assert.deepEqual(
      [...ids(zygote)].filter((id) => inside.has(id)),
      [],
    );
    for (const pid of [zygote, container.pid])
      assert.doesNotMatch(readFileSync(`/proc/${pid}/maps`, 'utf8'), /io_uring/);
  });
});

test('the limits of a container are in its cgroups from the start', async () => {
  await withContainer(async (container) => {
    const host = detectCgroups();
    const name = `hob/${driverOptions().instance}/${container.id}`;
    const read = (file: string): string =>
      readFileSync(
        host.version === 2 ? `${host.mount}/${name}/${file}` : `${v1Mount(file)}/${name}/${file}`,
        'utf8',
      ).trim();
    const v1Mount = (file: string): string | undefined =>
      host.version === 1 ? host.mounts.get(file.split('.')[0] as 'memory') : undefined;
    const files =
      host.version === 2
        ? {
            'memory.max': 128 * MiB,
            'memory.swap.max': 0,
            'pids.max': driverDefaults.pidsMax,
            'cpu.max': '100000 100000',
          }
        : {
            'memory.limit_in_bytes': 128 * MiB,
            'memory.memsw.limit_in_bytes': 128 * MiB,
            'pids.max': driverDefaults.pidsMax,
            'cpu.cfs_quota_us': 100_000,
          };
    for (const [file, value] of Object.entries(files)) assert.equal(read(file), String(value), file);
    assert.ok(read(host.version === 2 ? 'cgroup.procs' : 'pids.max') !== '');
    assert.equal(readFileSync(`/proc/${container.pid}/oom_score_adj`, 'utf8').trim(), '500');
  });
});

const forbidden: [what: string, expression: string, result: string | RegExp][] = [
  [
    'see the host through /proc',
    "fs.readdirSync('/proc').filter((name) => !/^\\d+$/.test(name)).sort().join()",
    'self,thread-self',
  ],
  ["read the host's files", "fs.readFileSync('/etc/shadow')", 'ENOENT'],
  ["find hob's files", "fs.readdirSync('/work')", 'ENOENT'],
  ["see the parent's environment", "fs.readFileSync('/proc/self/environ', 'utf8').includes('HOB')", 'false'],
  ['write outside /tmp', "fs.writeFileSync('/var/task/x', '')", 'EROFS'],
  [
    'run a file from /tmp',
    "fs.copyFileSync('/bin/sh', '/tmp/sh', 0), fs.chmodSync('/tmp/sh', 0o755), (await import('node:child_process')).execFileSync('/tmp/sh', ['-c', ''])",
    'EACCES',
  ],
  [
    'make a device',
    "(await import('node:child_process')).spawnSync('/bin/sh', ['-c', 'mknod /tmp/d b 8 0']).status !== 0",
    'true',
  ],
  ['become root', 'process.setuid(0)', 'EINVAL'],
  ['change groups', 'process.setgroups([0])', 'EPERM'],
  [
    'reach the host over the network',
    "await new Promise((resolve, reject) => import('node:net').then((net) => net.connect(22, '10.0.0.1').on('error', reject).on('connect', resolve)))",
    'ENETUNREACH',
  ],
  ['signal the host', 'process.kill(2, 9)', 'ESRCH'],
  ['fill /tmp beyond its size', "fs.writeFileSync('/tmp/big', Buffer.alloc(70 * 1024 * 1024))", 'ENOSPC'],
];

for (const [what, expression, result] of forbidden) {
  test(`a function cannot ${what}`, async () => {
    await withDriver(async (driver) => {
      const container = await driver.create('nodejs24.x', 256);
      assert.equal(await attempt(container, expression), result);
    });
  });
}

test('a function cannot fork without end', async () => {
  await withContainer(async (container) => {
    const body = `const { spawn } = await import('node:child_process');
      let refused = 0;
      const children = [];
      for (let i = 0; i < 200; i++) {
        const child = spawn('/bin/sh', ['-c', 'read x']);
        children.push(new Promise((resolve) => child.on('error', () => { refused += 1; resolve(); }).on('spawn', resolve)));
      }
      await Promise.all(children);
      return refused > 0;`;
    assert.equal(await evaluate(container, body), 'true');
  });
});
