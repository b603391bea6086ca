import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { RemoteDriver } from '../../src/launcher/remote-driver.ts';
import { LINE_BYTES_MAX } from '../../src/launcher/messages.ts';
import {
  bundlesFolder,
  driverOptions,
  evaluate,
  holdings,
  kindOf,
  limitsOf,
  startLauncher,
} from '../driver/real-driver.ts';
import { RawClient } from './raw-client.ts';

const runtime = 'nodejs24.x';
const digest = 'ab'.repeat(32);

/** Runs an attack and looks that nothing of it is left. */
async function attack(use: (client: RawClient) => Promise<void>, client = new RawClient(driverOptions())) {
  try {
    await use(client);
  } finally {
    assert.equal(await client.leave(), 0, 'the launcher ends in order');
  }
}

function isAlive(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false; // gone, or a zombie
  }
}

/** Requests that are none, however they are meant. */
function forged(container: string): unknown[] {
  const create = { op: 'create', serial: 1, runtime, memoryMb: 128, network: 'none' };
  const limits = { op: 'limits', serial: 1, container, ...limitsOf() };
  const mount = { op: 'mount', serial: 1, container, digest };
  const freeze = { op: 'freeze', serial: 1, container, isFrozen: true };
  const egress = { op: 'egress', serial: 1, container, policy: 'public' };
  return [
    ...[null, true, 7, 'create', [], [create], {}, { op: 'create' }, { serial: 1 }, { ...create, op: 'spawn' }],
    ...[0, -1, 1.5, 2 ** 32, '1', null].map((serial) => ({ ...create, serial })),
    ...[0, 64, 129, 9000, 1e9, -128, '128', null, [128]].map((memoryMb) => ({ ...create, memoryMb })),
    ...['', 'nodejs', 'python3', '/bin/sh', '../nodejs24.x', 'nodejs24.x\0', 7].map((runtime) => ({
      ...create,
      runtime,
    })),
    ...[{ root: '/' }, { hostUid: 0 }, { path: '/etc' }, { network: 'host' }, { pid: 1 }].map((more) => ({
      ...create,
      ...more,
    })),
    ...[127, 8193, 1e12, -1, 256.5, '256', null].map((memoryMb) => ({ ...limits, memoryMb })),
    ...[0, 0.01, 65, 1e9, -1, '1', null].map((cpu) => ({ ...limits, cpu })),
    ...[0, 1e9, -1, '1'].flatMap((bad) =>
      ['pids', 'nofile', 'tmpMb', 'tmpFiles'].map((name) => ({ ...limits, [name]: bad })),
    ),
    ...[{ pidsMax: 1 }, { io: null }, { io: { device: '8:0' } }, { io: { readsPerSecond: 0 } }, { hostUid: 0 }].map(
      (more) => ({ ...limits, ...more }),
    ),
    ...[
      '../..',
      '..',
      '/etc',
      '',
      'AB'.repeat(32),
      `${digest}/..`,
      `${digest}\n`,
      digest.slice(1),
      '.'.repeat(64),
      7,
    ].map((digest) => ({ ...mount, digest })),
    ...[{ isFrozen: 1 }, { isFrozen: 'true' }, { pid: 1 }, { container: '..' }].map((more) => ({ ...freeze, ...more })),
    ...[{ path: '/etc' }, { target: '/usr' }, { source: '/' }].map((more) => ({ ...mount, ...more })),
    ...['none', 'private', '', 7, null, {}, [7], [''], ['x'.repeat(301)], Array.from({ length: 65 }, () => 'a')].map(
      (policy) => ({ ...egress, policy }),
    ),
    ...['../c', '', '1', 'zygote-128', `${container}/..`, `${container}\n`, 7, null].flatMap((container) => [
      { ...limits, container },
      { ...mount, container },
      { ...egress, container },
      { op: 'kill', serial: 1, container },
    ]),
    { op: 'kill', serial: 1, pid: 1 },
    ...['file:///etc', 'http://a b', 'http://x\ny', `http://${'x'.repeat(400)}`, 7].map((url) => ({
      op: 'serving',
      serial: 1,
      url,
    })),
    { op: 'serving', serial: 1, url: 'http://x', token: 'short' },
    { op: 'serving', serial: 1, url: 'http://x', token: `${'x'.repeat(20)}\n` },
    { op: 'close', serial: 1, force: true },
    JSON.parse('{"op":"create","serial":1,"runtime":"nodejs24.x","memoryMb":128,"__proto__":{"root":"/"}}'),
  ];
}

test('Launcher refuses every request that is none, and goes on', async () => {
  await attack(async (client) => {
    const { container, pid } = await client.create(1);
    const attempts = forged(container);
    for (const attempt of attempts) {
      const reply = await client.ask(attempt);
      assert.ok(reply.op === 'failed', JSON.stringify([attempt, reply]));
      assert.equal(reply.code, 'ERR_LAUNCHER_REFUSED', JSON.stringify(attempt));
    }
    for (const strange of [
      { op: 'limits', serial: 9, container: 'c-none-1', ...limitsOf() },
      { op: 'mount', serial: 9, container: 'c-none-1', digest },
    ]) {
      const reply = await client.ask(strange);
      assert.ok(reply.op === 'failed' && reply.message.includes('there is no container c-none-1'), strange.op);
    }
    assert.ok(isAlive(pid), 'none of them did anything');
    assert.deepEqual(await client.ask({ op: 'limits', serial: 2, container, ...limitsOf({ memoryMb: 256 }) }), {
      op: 'done',
      serial: 2,
    });
    assert.notEqual((await client.create(3)).container, container);
  });
});

test('Launcher tells of what is not JSON, or has no end, and ends with everything that the client had', async () => {
  const before = holdings();
  const wrong = [
    '{"op":"create"\n',
    '\0\0\0\n',
    '}{\n',
    'x'.repeat(LINE_BYTES_MAX + 1),
    `"${'y'.repeat(LINE_BYTES_MAX)}"\n`,
  ];
  for (const text of wrong) {
    await attack(async (client) => {
      const { pid } = await client.create(1);
      client.write(text);
      const reply = await client.next();
      assert.ok(
        reply.op === 'failed' && reply.code === 'ERR_LAUNCHER_REFUSED' && reply.serial === 0,
        text.slice(0, 20),
      );
      await client.cutOff();
      assert.equal(isAlive(pid), false);
    });
  }
  assert.deepEqual(holdings(), before);
});

test('Launcher mounts a bundle and nothing else that is put in its place', async () => {
  using bundles = bundlesFolder();
  const place = join(bundles.path, bundles.digest);
  const moved = join(bundles.path, 'moved');
  const put: readonly [what: string, put: () => void, errno: string][] = [
    ['a link in place of the bundle', () => symlinkSync('moved', place), 'ELOOP'],
    ['a link to the host in place of the bundle', () => symlinkSync('/', place), 'ELOOP'],
    ['a link in place of its files', () => (mkdirSync(place), symlinkSync('/etc', join(place, 'files'))), 'ELOOP'],
    ['nothing', () => undefined, 'ENOENT'],
    ['a folder without files', () => mkdirSync(place), 'ENOENT'],
  ];
  await attack(
    async (client) => {
      const { container, pid } = await client.create(1);
      while (readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user')) await delay(1);
      const mounts = (): string => readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
      const untouched = mounts();
      renameSync(place, moved);
      for (const [what, make, errno] of put) {
        make();
        const reply = await client.ask({ op: 'mount', serial: 5, container, digest: bundles.digest });
        assert.ok(
          reply.op === 'failed' && reply.code === 'ERR_NATIVE_SYSCALL' && reply.message.includes(errno),
          `${what}: ${JSON.stringify(reply)}`,
        );
        assert.equal(mounts(), untouched, what);
        rmSync(place, { recursive: true, force: true });
      }
      renameSync(moved, place);
      const reply = await client.ask({ op: 'mount', serial: 6, container, digest: bundles.digest });
      assert.deepEqual(reply, { op: 'done', serial: 6 });
      assert.match(mounts(), /\/var\/task ro,nosuid,nodev/);
      const again = await client.ask({ op: 'mount', serial: 7, container, digest: bundles.digest });
      assert.ok(again.op === 'failed' && again.message === 'mount: EEXIST');
    },
    new RawClient(driverOptions({ bundles: bundles.path })),
  );
});

test('Launcher mounts nothing for a process that is still on its way into its container', async () => {
  using bundles = bundlesFolder();
  const hostMounts = readFileSync('/proc/self/mountinfo', 'utf8');
  await attack(
    async (client) => {
      await client.create(1);
      // The launcher answers before the container has left the host's mounts.
      for (let serial = 2; serial < 30; serial += 2) {
        const { container } = await client.create(serial);
        const reply = await client.ask({ op: 'mount', serial: serial + 1, container, digest: bundles.digest });
        assert.ok(reply.op === 'done' || (reply.op === 'failed' && reply.message === 'mount container: EBUSY'));
        assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), hostMounts);
      }
    },
    new RawClient(driverOptions({ bundles: bundles.path })),
  );
});

test('Launcher lets a client have no more containers than are configured', async () => {
  await attack(
    async (client) => {
      const first = await client.create(1);
      await client.create(2);
      const reply = await client.ask({ op: 'create', serial: 3, runtime, memoryMb: 128, network: 'none' });
      assert.ok(
        reply.op === 'failed' && reply.code === 'ERR_LAUNCHER_REFUSED' && reply.message.includes('2 containers'),
      );
      client.send({ op: 'kill', serial: 4, container: first.container });
      const ended = await client.next();
      assert.ok(ended.op === 'ended' && ended.container === first.container && ended.end.signal === 'SIGKILL');
      await client.create(5);
    },
    new RawClient(driverOptions(), 2),
  );
});

test('Launcher reads no more than it has answered, and survives a client that reads nothing', async () => {
  const before = holdings();
  await attack(async (client) => {
    const { socket, child } = client.launcher;
    socket.pause();
    // Answers are longer than these requests: what is not read must hold the requests back.
    const flood = `${JSON.stringify({ op: 'nothing', serial: 1 })}\n`.repeat(2000);
    let written = 0;
    while (socket.write(flood) || (await drained(socket))) {
      written += flood.length;
      assert.ok(written < 1e9, 'it is held back');
    }
    const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
    assert.ok(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) < 400 * 1024, 'what waits is bounded');
  });
  assert.deepEqual(holdings(), before);
});

/** Whether a socket takes more again, before it is clear that it does not. */
async function drained(socket: RawClient['launcher']['socket']): Promise<boolean> {
  const { bytesWritten, writableLength } = socket;
  for (let rounds = 0; rounds < 100; rounds++) {
    if (socket.writableLength === 0) return true;
    await delay(10);
  }
  return socket.writableLength < writableLength || socket.bytesWritten !== bytesWritten;
}

test('Launcher ends in order when its client dies, whatever it was doing for it', async () => {
  const before = holdings();
  for (const waitMs of [0, 20, 300, 600]) {
    await attack(async (client) => {
      for (let serial = 1; serial <= 6; serial++)
        client.send({ op: 'create', serial, runtime, memoryMb: 128, network: 'none' });
      await delay(waitMs);
    });
    assert.deepEqual(holdings(), before, `after ${waitMs} ms`);
  }
});

test('Launcher makes nothing for a client that takes no descriptors', async () => {
  const before = holdings();
  await attack(async (client) => {
    client.inbox.close();
    const reply = await client.ask({ op: 'create', serial: 1, runtime, memoryMb: 128, network: 'none' });
    assert.ok(reply.op === 'failed' && reply.code === 'ERR_NATIVE_SYSCALL' && reply.message.startsWith('send'));
    assert.equal(containers(), 0);
  });
  assert.deepEqual(holdings(), before);
});

/** Containers of this process's tests that have cgroups. */
function containers(): number {
  const paths = readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' });
  return paths.filter((path) => path.includes(`/test-${process.pid}/c-`)).length;
}

test('RemoteDriver loses its containers with its launcher, says so, and another launcher removes what is left', async () => {
  const before = holdings();
  const options = driverOptions();
  const launcher = startLauncher(options);
  const driver = new RemoteDriver(launcher, options);
  const made = await Promise.all([driver.create(kindOf(128)), driver.create(kindOf(128))]);
  const zygotes = driver.zygotes().map(({ pid }) => pid);
  const creating = driver.create(kindOf(192));
  launcher.child.kill('SIGKILL');
  await assert.rejects(creating, { code: 'ERR_LAUNCHER_LOST' });
  assert.equal((await driver.lost).code, 'ERR_LAUNCHER_LOST');
  for (const container of made) {
    assert.equal((await container.exited).signal, 'SIGKILL');
    await assert.rejects(container.setLimits(limitsOf({ nofile: 100 })), { code: 'ERR_LAUNCHER_LOST' });
    container.kill();
  }
  await assert.rejects(driver.create(kindOf(128)), { code: 'ERR_LAUNCHER_LOST' });
  await driver.close();

  const second = startLauncher(options);
  const again = new RemoteDriver(second, options);
  assert.equal(await evaluate(await again.create(kindOf(128)), 'return 3'), '3');
  for (const pid of [...made.map((container) => container.pid), ...zygotes]) assert.equal(isAlive(pid), false);
  await again.close();
  assert.equal(containers(), 0);
  while (holdings().children !== before.children) await delay(10);
  assert.deepEqual(holdings(), before);
});

test('RemoteDriver.serving tells the launcher what the server says, once, and gives its answer', async () => {
  const options = driverOptions();
  const driver = new RemoteDriver(startLauncher(options), options);
  const note = { url: 'http://127.0.0.1:1', token: 'a-token-of-my-own' };
  assert.deepEqual(JSON.parse((await driver.serving(note)) ?? ''), note);
  await assert.rejects(driver.serving({ url: 'http://elsewhere' }), { code: 'ERR_LAUNCHER_REFUSED' });
  await driver.close();
});
