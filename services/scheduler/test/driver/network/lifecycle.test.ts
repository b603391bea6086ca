import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { NativeNetwork } from '@hob/native';
import type { ContainerProcess } from '../../../src/container-driver.ts';
import { driverDefaults } from '../../../src/driver/driver-options.ts';
import { HostDriver } from '../../../src/driver/host-driver.ts';
import { EgressNetwork } from '../../../src/driver/network/egress-network.ts';
import { egressDefaults } from '../../../src/driver/network/egress-options.ts';
import { removeHostLeftovers } from '../../../src/driver/network/host-link.ts';
import { driverOptions, evaluate, kindOf } from '../real-driver.ts';
import { runInside } from './inside.ts';
import { NetworkLab, TCP_PORT, world } from './network-lab.ts';

const lab = new NetworkLab();
const { native } = lab;
const instance = `test-${process.pid}`;

after(() => lab[Symbol.asyncDispose]());

/** What a network holds of the host: links, tables, forwarding, routes, this process's descriptors. */
interface Holdings {
  readonly links: readonly string[];
  readonly tables: readonly string[];
  readonly forwarding: string;
  readonly routes: number;
  readonly descriptors: number;
}

const tableNames = [`hob-${instance}`, `hob-${instance}-ipv4`, `hob-${instance}-ipv6`];

function holdings(): Holdings {
  const read = (file: string): string => readFileSync(file, 'utf8').trim();
  return {
    links: readdirLinks(),
    tables: lab.tables().filter((name) => tableNames.includes(name)),
    forwarding: `${read('/proc/sys/net/ipv4/ip_forward')} ${read('/proc/sys/net/ipv6/conf/all/forwarding')}`,
    routes: read('/proc/net/route').split('\n').length,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

/** Also those that are down, which have no address. */
function readdirLinks(): string[] {
  const lines = readFileSync('/proc/net/dev', 'utf8').trimEnd().split('\n').slice(2);
  return lines.map((line) => line.split(':')[0]?.trim() ?? '').toSorted();
}

/** The kernel removes namespaces in its own time: what is in them goes then. */
async function settled(before: Holdings): Promise<void> {
  while (JSON.stringify(holdings().links) !== JSON.stringify(before.links)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(holdings(), before);
}

test('EgressNetwork takes one link, its tables and forwarding of the host, and gives all back', async () => {
  const before = holdings();
  const network = await EgressNetwork.open({ native, options: egressDefaults, instance });
  const during = holdings();
  assert.deepEqual(during.links, [...before.links, 'hob0'].toSorted());
  assert.deepEqual(during.tables, tableNames);
  assert.equal(during.forwarding, '1 1');
  network.take().release();
  network.take();
  network.take().open('public', () => ({}));
  await network.close();
  await network.close();
  await settled(before);
});

test('EgressNetwork leaves forwarding on that was on before', async () => {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  const before = holdings();
  const network = await EgressNetwork.open({ native, options: egressDefaults, instance });
  assert.deepEqual(holdings().tables, [tableNames[0], tableNames[2]]);
  await network.close();
  await settled(before);
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
});

test('two hobs on one host take different parts of the ranges, and a full or foreign range is refused', async () => {
  const before = holdings();
  const options = { ...egressDefaults, range4: '10.214.0.0/19', range6: 'fd68:6f62:1::/63' };
  const open = (name: string): Promise<EgressNetwork> => EgressNetwork.open({ native, options, instance: name });
  await using both = new AsyncDisposableStack();
  both.adopt(await open(instance), (network) => network.close());
  both.adopt(await open(`${instance}-b`), (network) => network.close());
  assert.ok(networkInterfaces()['hob0'] && networkInterfaces()['hob1']);
  await assert.rejects(open(`${instance}-c`), { code: 'ERR_NATIVE_UNSUPPORTED', message: /HOB_EGRESS_RANGE4/ });
  await both.disposeAsync();
  const foreign = { ...egressDefaults, range4: '10.9.0.0/20' };
  await assert.rejects(EgressNetwork.open({ native, options: foreign, instance }), { code: 'ERR_NATIVE_UNSUPPORTED' });
  await settled(before);
});

/** The same functions, of which the `failAt`-th call of any, counted from 1, fails; and how many there were. */
function faulty(failAt: number): { readonly native: NativeNetwork; calls: () => number } {
  let calls = 0;
  const guarded = new Set([
    'within',
    'readDenial',
    'deleteFlows',
    'deleteElement',
    'deleteLink',
    'deleteTable',
    'enter',
  ]);
  const proxy = new Proxy(native, {
    get(target, name) {
      const original: unknown = Reflect.get(target, name);
      if (typeof original !== 'function' || guarded.has(String(name))) return original;
      return (...args: unknown[]): unknown => {
        calls += 1;
        if (calls === failAt) throw Object.assign(new Error(`${String(name)} fails`), { code: 'ERR_NATIVE_SYSCALL' });
        return Reflect.apply(original, target, args);
      };
    },
  });
  return { native: proxy, calls: () => calls };
}

test('whichever step of making the network or a slot fails, nothing is left', { timeout: 300_000 }, async () => {
  const before = holdings();
  const useAll = async (candidate: NativeNetwork): Promise<void> => {
    const network = await EgressNetwork.open({ native: candidate, options: egressDefaults, instance });
    try {
      const slot = network.take();
      slot.open([`${world.web4}:80`, '10.0.0.0/8', 'a.example', '2606::/16'], () => ({}));
      slot.release();
    } finally {
      await network.close();
    }
  };
  const whole = faulty(0);
  await useAll(whole.native);
  await settled(before);
  assert.ok(whole.calls() > 40, `${whole.calls()} steps`);
  for (let step = 1; step <= whole.calls(); step++) {
    // Slots that are made ahead fail without anybody being told.
    await useAll(faulty(step).native).catch((error: unknown) => {
      assert.equal((error as { code?: string }).code, 'ERR_NATIVE_SYSCALL', String(error));
    });
    await settled(before);
  }
});

test('HostDriver removes what a killed predecessor left of its network, and turns forwarding off', async () => {
  const before = holdings();
  const marker = mkdtempSync(join(tmpdir(), 'hob-egress-'));
  const options = driverOptions({ instance });
  try {
    const script = join(marker, 'predecessor.ts');
    writeFileSync(
      script,
      `import { HostDriver } from ${JSON.stringify(new URL('../../../src/driver/host-driver.ts', import.meta.url).href)};
       const driver = await HostDriver.open(JSON.parse(process.argv[2]));
       const made = await driver.create(${JSON.stringify(kindOf(128, 'egress'))});
       await made.setEgress('public');
       process.send({ pid: made.pid });`,
    );
    // It runs in this process's network namespace.
    const child = fork(script, [JSON.stringify(options)], { execArgv: ['--conditions=@hob/source'] });
    const [{ pid }] = (await once(child, 'message')) as [{ pid: number }];
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.deepEqual(holdings().tables, tableNames);
    const driver = await HostDriver.open(options);
    assert.deepEqual(lab.tables(), []);
    await driver.close();
    while (existsSync(`/proc/${pid}/ns/net`)) await new Promise((resolve) => setTimeout(resolve, 20));
    await settled(before);
  } finally {
    rmSync(marker, { recursive: true });
  }
});

test('removeHostLeftovers does nothing where there is nothing', () => {
  const before = holdings();
  removeHostLeftovers(native, instance);
  assert.deepEqual(holdings(), before);
});

test('a container may have only so many connections, and the next one is refused and told', async () => {
  await lab.serve();
  const egress = { ...driverDefaults.egress, connectionsMax: 4 };
  const driver = await HostDriver.open(driverOptions({ instance, egress }));
  try {
    const body = `const open = [];
      for (let at = 0; at < 6; at++) {
        open.push(await settle(new Promise((resolve, reject) => {
          const socket = net.connect({ port: ${TCP_PORT}, host: '${world.hold4}' }).on('connect', () => resolve('open')).on('error', reject);
        })));
      }
      return open.join();`;
    const { text, denials } = await runInside(await driver.create(kindOf(128, 'egress')), 'public', body);
    assert.equal(text, 'open,open,open,open,ECONNREFUSED,ECONNREFUSED');
    assert.deepEqual(denials.texts, [`connections tcp ${world.hold4}:${TCP_PORT}`]);
    assert.equal(denials.all[0]?.count, 2);
  } finally {
    await driver.close();
  }
});

/** Has a container send a thousand datagrams of so many bytes, and ends it. @returns how many denials were told */
async function flood(container: ContainerProcess, address: string, bytes: number): Promise<number> {
  let denials = 0;
  await container.setEgress('public');
  const sent = evaluate(
    container,
    `const dgram = await import('node:dgram');
     const socket = dgram.createSocket('udp4').on('error', () => undefined);
     const send = () => new Promise((resolve) => socket.send(Buffer.alloc(${bytes}), 4000, '${address}', () => resolve()));
     for (let at = 0; at < 1000; at++) await send();
     return 'sent';`,
  );
  container.events = { ...container.events, denied: ({ count }) => void (denials += count) };
  assert.equal(await sent, 'sent');
  container.kill();
  await container.exited;
  return denials;
}

test('what a container sends is bounded', async () => {
  const egress = { ...driverDefaults.egress, bytesPerSecond: 10_000 };
  const driver = await HostDriver.open(driverOptions({ instance, egress }));
  try {
    let received = 0;
    await lab.receive(lab.internet, world.web4, () => (received += 1));
    await flood(await driver.create(kindOf(128, 'egress')), world.web4, 1000);
    // A megabyte would take 100 seconds.
    assert.ok(received > 0 && received < 500, `${received} of 1000 datagrams`);
  } finally {
    await driver.close();
  }
});

test('what a container is denied is told only so often', async () => {
  const driver = await HostDriver.open(driverOptions({ instance }));
  try {
    const told = await flood(await driver.create(kindOf(128, 'egress')), world.private4, 1);
    assert.ok(told >= 40 && told < 900, `${told} of 1000 denials`);
  } finally {
    await driver.close();
  }
});
