import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { hostNative, libraryPath, loadNetwork } from '@hob/native';
import type { ContainerDriver, ContainerProcess } from '../../../src/container-driver.ts';
import { LoopbackNamespaces } from '../../../src/driver/network/loopback-namespaces.ts';
import { evaluate, kindOf, withDriver } from '../real-driver.ts';

const native = loadNetwork(libraryPath);
const networkOf = ({ pid }: ContainerProcess): string => readlinkSync(`/proc/${pid}/ns/net`);

async function end(container: ContainerProcess): Promise<void> {
  container.kill();
  await container.exited;
}

/** A descriptor of the network of one container, which does something first. No other network is taken for it while that is open. */
async function usedNetwork(driver: ContainerDriver, body: string): Promise<number> {
  const container = await driver.create(kindOf(128));
  await evaluate(container, body);
  const network = openSync(`/proc/${container.pid}/ns/net`, 'r');
  await end(container);
  return network;
}

test('A container has a network to itself, and what it did not use is used again after its death', async () => {
  await withDriver(async (driver) => {
    const [a, b] = [await driver.create(kindOf(128)), await driver.create(kindOf(128))];
    const both = [networkOf(a), networkOf(b)];
    assert.notEqual(both[0], both[1]);
    assert.ok(!both.includes(readlinkSync('/proc/self/ns/net')));
    await end(a);
    const c = await driver.create(kindOf(128));
    assert.equal(networkOf(c), both[0]);
    assert.equal(networkOf(b), both[1]);
    await Promise.all([end(b), end(c)]);
  });
});

/** Bodies for `evaluate`. */
const uses = {
  'a datagram': `const socket = (await import('node:dgram')).createSocket('udp4');
    await new Promise((bound) => socket.bind(0, '127.0.0.1', bound));
    await new Promise((sent) => socket.send('x', socket.address().port, '127.0.0.1', sent));
    return 'sent'`,
  'a connection': connectionTo('127.0.0.1'),
  'a connection by IPv6': connectionTo('::1'),
};

function connectionTo(address: string): string {
  return `const net = await import('node:net');
    const server = net.createServer((socket) => socket.end('x')).listen(0, '${address}');
    await new Promise((listening, fail) => server.once('listening', listening).once('error', fail));
    let text = '';
    for await (const part of net.connect(server.address().port, '${address}')) text += part;
    return text`;
}

for (const [what, body] of Object.entries(uses)) {
  test(`A network that ${what} went through is not used again`, async () => {
    await withDriver(async (driver) => {
      const networks = [await usedNetwork(driver, body), await usedNetwork(driver, 'return 1')];
      try {
        const [used, next] = networks.map((fd) => readlinkSync(`/proc/self/fd/${fd}`));
        assert.notEqual(used, next);
      } finally {
        for (const fd of networks) closeSync(fd);
      }
    });
  });
}

/** What is open in this process, as what. */
function openNamespaces(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const link = readlinkSync(`/proc/self/fd/${fd}`);
      return /^net:|\/net\//.test(link) ? [link] : [];
    } catch {
      return [];
    }
  });
}

test('A network in which a socket is left is not used again, whoever holds that', () => {
  const loopbacks = new LoopbackNamespaces(native);
  const first = loopbacks.take();
  const namespace = openSync(first.path, 'r');
  const identity = readlinkSync(first.path);
  const socket = native.within(namespace, () => native.bindSocket('tcp', '127.0.0.1', 8080));
  first.release();
  first.release();
  const second = loopbacks.take();
  assert.notEqual(readlinkSync(second.path), identity);
  hostNative().close(socket);
  closeSync(namespace);
  second.release();
  const third = loopbacks.take();
  assert.equal(third.path, second.path, 'nothing was in this one');
  loopbacks.close();
  third.release();
  assert.deepEqual(openNamespaces(), []);
});

test('A network that cannot be looked into is not used again, and is no error', () => {
  const blind = new LoopbackNamespaces({
    ...native,
    within: () => {
      throw new Error('no way in');
    },
  });
  blind.take().release();
  assert.deepEqual(openNamespaces(), []);
  blind.close();
});

test('However many containers end at once, few networks are kept, and none after the end', () => {
  const loopbacks = new LoopbackNamespaces(native);
  const many = Array.from({ length: 50 }, () => loopbacks.take());
  assert.equal(new Set(many.map(({ path }) => readlinkSync(path))).size, 50);
  for (const each of many) each.release();
  const kept = openNamespaces().filter((link) => link.startsWith('net:')).length;
  assert.ok(kept > 0 && kept < 50, `${kept} are kept`);
  loopbacks.close();
  loopbacks.close();
  assert.deepEqual(openNamespaces(), []);
});

test('Networks that nobody needs any more are given up but for one, and no others', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const loopbacks = new LoopbackNamespaces(native);
  const many = Array.from({ length: 5 }, () => loopbacks.take());
  for (const each of many) each.release();
  t.mock.timers.tick(10_000);
  assert.equal(openNamespaces().length, 5, 'they are not there for long enough');
  const two = [loopbacks.take(), loopbacks.take()];
  for (const each of two) each.release();
  t.mock.timers.tick(10_000);
  assert.equal(openNamespaces().length, 2, 'as many as were needed');
  t.mock.timers.tick(10_000);
  t.mock.timers.tick(10_000);
  assert.equal(openNamespaces().length, 1, 'for the next container');
  loopbacks.close();
  assert.deepEqual(openNamespaces(), []);
});

test('A network is made ahead when none is there, and the next container takes it', () => {
  const made: number[] = [];
  const loopbacks = new LoopbackNamespaces({
    ...native,
    createNamespace: () => {
      const namespace = native.createNamespace();
      made.push(namespace);
      return namespace;
    },
  });
  loopbacks.prepare();
  loopbacks.prepare();
  assert.equal(made.length, 1);
  const network = loopbacks.take();
  assert.ok(network.path.endsWith(`/${made[0]}`));
  assert.equal(made.length, 1);
  loopbacks.close();
  loopbacks.prepare();
  network.release();
  assert.equal(made.length, 1);
  assert.deepEqual(openNamespaces(), []);
});

test('A network that cannot be made ahead is made when it is needed', () => {
  let isRefused = true;
  const loopbacks = new LoopbackNamespaces({
    ...native,
    createNamespace: () => {
      if (isRefused) throw new Error('no room');
      return native.createNamespace();
    },
  });
  loopbacks.prepare();
  assert.throws(() => loopbacks.take(), /no room/);
  isRefused = false;
  loopbacks.take().release();
  loopbacks.close();
  assert.deepEqual(openNamespaces(), []);
});

test('A network without a way out cannot be opened to the outside', () => {
  const loopbacks = new LoopbackNamespaces(native);
  const network = loopbacks.take();
  assert.throws(() => network.open('public', () => ({})), { code: 'ERR_NATIVE_SYSCALL' });
  network.release();
  loopbacks.close();
});
