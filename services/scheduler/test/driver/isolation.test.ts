import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import { driverOptions, evaluate, kindOf } from './real-driver.ts';

/** One for the whole file: a zygote takes longer to boot than all that is asked of its containers. */
let driver: HostDriver;
before(async () => (driver = await HostDriver.open(driverOptions())));
after(async () => driver.close());

/** Hands on a container of its own, which is gone afterwards. */
async function withContainer(use: (container: ContainerProcess) => Promise<void>, memoryMb = 128): Promise<void> {
  const container = await driver.create(kindOf(memoryMb));
  try {
    await use(container);
  } finally {
    container.kill();
    await container.exited;
  }
}

/** Runs an attempt inside and gives the error's code, or what it returned. */
function attempt(container: ContainerProcess, expression: string): Promise<string> {
  return evaluate(container, `try { return (${expression}) } catch (error) { return error.code ?? error.message }`);
}

test('a container shares no event loop, signal lock or io_uring with its zygote', async () => {
  await withContainer(async (container) => {
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
  ['rename itself through /proc', "fs.writeFileSync('/proc/self/comm', 'x')", 'EACCES'],
  ['see or set parameters of the kernel', "fs.readdirSync('/proc/sys')", 'ENOENT'],
  ['signal the host', 'process.kill(2, 9)', 'ESRCH'],
  ['fill /tmp beyond its size', "fs.writeFileSync('/tmp/big', Buffer.alloc(70 * 1024 * 1024))", 'ENOSPC'],
];

for (const [what, expression, result] of forbidden) {
  test(`a function cannot ${what}`, async () => {
    await withContainer(async (container) => {
      assert.equal(await attempt(container, expression), result);
    }, 256);
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
