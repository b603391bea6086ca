import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import type { EgressPolicy } from '@hob/contracts';
import { driverDefaults } from '../../../src/driver/driver-options.ts';
import { HostDriver } from '../../../src/driver/host-driver.ts';
import { driverOptions, evaluate, kindOf } from '../real-driver.ts';
import { type Attempt, runInside, tryAll } from './inside.ts';
import { HTTP_PORT, NetworkLab, SINK_PORT, TCP_PORT, UDP_PORT, world } from './network-lab.ts';
import { addresses, TestDns } from './test-dns.ts';

const NAME_SERVER_PORT = 53;
const lab = new NetworkLab();
let dns: TestDns;
let driver: HostDriver;

before(async () => {
  await lab.serve();
  const alias = { type: 'CNAME', class: 'IN', name: 'alias.example', ttl: 60, data: 'web.example' } as const;
  dns = await TestDns.serve(
    {
      'web.example': addresses('web.example', [world.web4, world.web6]),
      'alias.example': [alias],
      'a.shop.example': addresses('a.shop.example', [world.other4]),
      'evil.example': addresses('evil.example', [world.private4, world.metadata4, world.metadata6, '::ffff:10.9.0.5']),
      'mixed.example': addresses('mixed.example', [world.private4, world.web4]),
      'many.example': addresses(
        'many.example',
        Array.from({ length: 100 }, (_, at) => `93.184.217.${at}`),
      ),
      'text.example': [{ type: 'TXT', class: 'IN', name: 'text.example', ttl: 60, data: ['hello'] }],
    },
    {
      udp: lab.bind(lab.internet, 'udp', world.uplink4, NAME_SERVER_PORT),
      tcp: lab.bind(lab.internet, 'tcp', world.uplink4, NAME_SERVER_PORT),
    },
  );
  driver = await HostDriver.open(driverOptions({ egress: { ...driverDefaults.egress, dns: [world.uplink4] } }));
});

after(async () => {
  await driver.close();
  await dns.close();
  await lab[Symbol.asyncDispose]();
});

const everywhere = (text: string): Attempt => ({ fetch: text, tcp: text, udp: text });
/** How each way of IPv4 and IPv6 is told that it may not: a reset, or an ICMP error. */
const denied4: Attempt = { fetch: 'ECONNREFUSED', tcp: 'ECONNREFUSED', udp: 'EHOSTUNREACH' };
const denied6: Attempt = { ...denied4, udp: 'EACCES' };
const denied = (address: string): Attempt => (address.includes(':') ? denied6 : denied4);

/** The denials of all three ways to an address. */
function deniedTexts(reason: string, address: string): string[] {
  const host = address.includes(':') ? `[${address}]` : address;
  return [
    `${reason} tcp ${host}:${TCP_PORT}`,
    `${reason} tcp ${host}:${HTTP_PORT}`,
    `${reason} udp ${host}:${UDP_PORT}`,
  ].toSorted();
}

test('the servers of the lab answer the host, so that nothing but hob keeps functions from them', async () => {
  for (const [address, name] of [
    [world.web4, 'web'],
    [world.web6, 'web'],
    [world.private4, 'private'],
    [world.private6, 'private'],
    [world.metadata4, 'metadata'],
    [world.metadata6, 'metadata'],
    ['127.0.0.1', 'host'],
    [world.host4, 'host'],
    [world.host6, 'host'],
  ] as const) {
    const answer = await fetch(`http://${address.includes(':') ? `[${address}]` : address}/`);
    assert.match(await answer.text(), new RegExp(`^${name} `), address);
  }
});

test('egress "public" reaches the internet by fetch, TCP and UDP, IPv4 and IPv6, with the host’s address', async () => {
  const { attempts, denials } = await tryAll(await driver.create(kindOf(128, 'egress')), 'public', [
    world.web4,
    world.web6,
  ]);
  assert.deepEqual(attempts, {
    [world.web4]: everywhere(`web ${world.host4}`),
    [world.web6]: everywhere(`web ${world.host6}`),
  });
  assert.deepEqual(denials.texts, []);
});

const policies: readonly EgressPolicy[] = ['public', ['0.0.0.0/0', '::/0']];
const outOfReach: readonly (readonly [reason: string, address: string])[] = [
  ['address', world.private4],
  ['address', world.private6],
  ['address', world.metadata4],
  ['address', world.metadata6],
  ['address', world.hostPrivate4],
  ['address', '172.17.0.1'],
  ['address', '192.168.1.1'],
  ['address', '100.100.100.200'],
  ['address', '168.63.129.16'],
  ['address', '64:ff9b::a09:5'],
  ['address', '2002:a09:5::1'],
  ['address', '240.0.0.1'],
  ['host', world.host4],
  ['host', world.host6],
  ['host', '169.254.53.53'],
  ['host', '10.214.0.2'],
  ['neighbour', '10.214.0.1'],
  ['neighbour', '10.214.15.254'],
  ['neighbour', 'fd68:6f62:1::1'],
];

for (const [reason, address] of outOfReach) {
  for (const policy of policies) {
    test(`egress ${JSON.stringify(policy)} does not reach ${address}, and each attempt is told`, async () => {
      const container = await driver.create(kindOf(128, 'egress'));
      const { attempts, denials } = await tryAll(container, policy, [address]);
      assert.deepEqual(attempts[address], denied(address));
      assert.deepEqual(denials.texts, deniedTexts(reason, address));
    });
  }
}

test('an IPv4-mapped address is the IPv4 address that it names', async () => {
  const mapped = [`::ffff:${world.private4}`, `::ffff:${world.metadata4}`, `::ffff:${world.web4}`];
  const body = `const seen = {};
    for (const address of ${JSON.stringify(mapped)}) seen[address] = [await ask(address), await connect(address)];
    return JSON.stringify(seen);`;
  const { text, denials } = await runInside(await driver.create(kindOf(128, 'egress')), 'public', body);
  const refused = ['ECONNREFUSED', 'ECONNREFUSED'];
  const answered = [`web ${world.host4}`, `web ${world.host4}`];
  assert.deepEqual(Object.values(JSON.parse(text) as Record<string, string[]>), [refused, refused, answered]);
  assert.equal(denials.all.length > 0, true);
  assert.ok(denials.all.every(({ reason }) => reason === 'address'));
});

test('an allow-list opens networks and ports, private ones only when a rule lies in them, and nothing else', async () => {
  const container = await driver.create(kindOf(128, 'egress'));
  const policy = [`${world.web4}:${HTTP_PORT}`, '10.9.0.0/24', '0.0.0.0/0:9', `[${world.private6}]:${UDP_PORT}`];
  const { attempts } = await tryAll(container, policy, [
    world.web4,
    world.web6,
    world.private4,
    world.private6,
    world.other4,
    world.hostPrivate4,
  ]);
  assert.deepEqual(attempts, {
    [world.web4]: { ...denied4, fetch: `web ${world.host4}` },
    [world.web6]: denied6,
    [world.private4]: everywhere(`private ${world.hostPrivate4}`),
    [world.private6]: { ...denied6, udp: `private ${world.hostPrivate6}` },
    [world.other4]: denied4,
    // In the network that was opened, but an address of the host.
    [world.hostPrivate4]: denied4,
  });
});

test('an allow-list of names opens what they resolve to, for their ports, and answers no other name', async () => {
  const container = await driver.create(kindOf(128, 'egress'));
  const policy = [`web.example:${HTTP_PORT}`, '*.shop.example'];
  const body = `return JSON.stringify({
    early: await ask('${world.web4}'),
    fetch: await ask('web.example'),
    now: await ask('${world.web4}'),
    otherPort: await connect('web.example'),
    wildcard: await connect('a.shop.example'),
    apex: await ask('shop.example'),
    other: await ask('alias.example'),
    resolved: await settle(dns.resolve6('web.example')),
    refused: await settle(dns.resolve4('alias.example')),
  });`;
  const { text, denials } = await runInside(container, policy, body);
  assert.deepEqual(JSON.parse(text), {
    early: 'ECONNREFUSED',
    fetch: `web ${world.host4}`,
    now: `web ${world.host4}`,
    otherPort: 'ECONNREFUSED',
    wildcard: `web ${world.host4}`,
    apex: 'ENOTFOUND',
    other: 'ENOTFOUND',
    resolved: [world.web6],
    refused: 'ENOTFOUND',
  });
  assert.ok(denials.texts.includes('name name alias.example'), denials.texts.join());
  assert.ok(denials.texts.includes('name name shop.example'), denials.texts.join());
  assert.ok(denials.texts.includes(`not-listed tcp ${world.web4}:${HTTP_PORT}`), denials.texts.join());
});

test('DNS works by getaddrinfo and by c-ares, over UDP and TCP, with other records and aliases', async () => {
  const body = `return JSON.stringify({
    servers: dns.getServers(),
    overV6: await (() => {
      const resolver = new dns.Resolver();
      resolver.setServers(['fd68:6f62::53']);
      return resolver.resolve4('many.example').then((found) => found.length);
    })(),
    lookup: (await dns.lookup('alias.example', { all: true })).map(({ address }) => address).toSorted(),
    alias: await dns.resolve4('alias.example'),
    many: (await dns.resolve4('many.example')).length,
    manyByLookup: (await dns.lookup('many.example', { all: true })).length,
    text: await dns.resolveTxt('text.example'),
    absent: await settle(dns.lookup('absent.example')),
  });`;
  dns.asked.length = 0;
  const { text, denials } = await runInside(await driver.create(kindOf(128, 'egress')), 'public', body);
  const seen: { manyByLookup: number } = JSON.parse(text);
  assert.deepEqual(
    { ...seen, manyByLookup: seen.manyByLookup > 0 },
    {
      servers: ['169.254.53.53', 'fd68:6f62::53'],
      overV6: 64,
      lookup: [world.web6, world.web4].toSorted(),
      alias: [world.web4],
      many: 64,
      manyByLookup: true,
      text: [['hello']],
      absent: 'ENOTFOUND',
    },
  );
  assert.ok(dns.asked.includes('many.example A tcp'));
  assert.deepEqual(denials.texts, []);
});

for (const policy of ['public', ['evil.example', 'mixed.example']] satisfies EgressPolicy[]) {
  test(`egress ${JSON.stringify(policy)}: a name cannot be pointed into the networks around the host`, async () => {
    const body = `return JSON.stringify({
      lookup: await settle(dns.lookup('evil.example')),
      resolve4: await settle(dns.resolve4('evil.example')),
      resolve6: await settle(dns.resolve6('evil.example')),
      fetch: await ask('evil.example'),
      mixed: await dns.resolve4('mixed.example'),
      direct: await ask('${world.private4}'),
    });`;
    const { text, denials } = await runInside(await driver.create(kindOf(128, 'egress')), policy, body);
    assert.deepEqual(JSON.parse(text), {
      lookup: 'ENOTFOUND',
      resolve4: 'ENODATA',
      resolve6: 'ENODATA',
      fetch: 'ENOTFOUND',
      mixed: [world.web4],
      direct: 'ECONNREFUSED',
    });
    assert.ok(denials.texts.includes(`rebinding name evil.example at ${world.private4}`), denials.texts.join());
    assert.ok(denials.texts.includes(`rebinding name mixed.example at ${world.private4}`), denials.texts.join());
  });
}

test('a name may lead to a private address that a rule opens by itself', async () => {
  const policy = ['evil.example', `${world.private4}:${HTTP_PORT}`];
  const body = `return JSON.stringify([await dns.resolve4('evil.example'), await ask('evil.example')]);`;
  const { text } = await runInside(await driver.create(kindOf(128, 'egress')), policy, body);
  assert.deepEqual(JSON.parse(text), [[world.private4], `private ${world.hostPrivate4}`]);
});

test('containers do not reach one another, whatever they listen on', async () => {
  const [a, b] = [await driver.create(kindOf(128, 'egress')), await driver.create(kindOf(128, 'egress'))];
  await b.setEgress('public');
  const listening = await evaluate(
    b,
    `const net = await import('node:net');
     const os = await import('node:os');
     globalThis.seen = 0;
     for (const host of ['0.0.0.0', '::']) {
       await new Promise((resolve) => net.createServer((socket) => { seen += 1; socket.end('neighbour'); }).listen(${TCP_PORT}, host, resolve).on('error', resolve));
     }
     const own = net.connect(${TCP_PORT}, '127.0.0.1');
     return await new Promise((resolve) => own.on('data', (bytes) => resolve(String(bytes))));`,
  );
  assert.equal(listening, 'neighbour');
  const neighbours = Array.from({ length: 40 }, (_, at) => `10.214.0.${16 + at}`);
  const body = `const seen = [];
    for (const address of ${JSON.stringify([...neighbours, 'fd68:6f62:1::10', 'fd68:6f62:1::11', 'fd68:6f62:1::12'])}) seen.push(await connect(address));
    return seen.join();`;
  const { text, denials } = await runInside(a, ['0.0.0.0/0', '::/0', '10.214.0.0/16', 'fd68:6f62:1::/48'], body);
  // Its own address answers that nobody listens there.
  assert.deepEqual(new Set(text.split(',')), new Set(['ECONNREFUSED']));
  assert.ok(denials.all.length > 5);
  assert.ok(denials.all.every(({ reason }) => reason === 'neighbour'));
  b.kill();
});

test('a container of class "none" has no way out, and no name server', async () => {
  const container = await driver.create(kindOf(128));
  const body = `const dns = await import('node:dns/promises');
    const code = (promise) => promise.then(String, (error) => error.code ?? error.cause?.code);
    return JSON.stringify([
      await code(fetch('http://${world.web4}/')),
      await code(dns.lookup('web.example')),
      await code(dns.resolve4('web.example')),
    ]);`;
  assert.deepEqual(JSON.parse(await evaluate(container, body)), ['ENETUNREACH', 'EAI_AGAIN', 'ECONNREFUSED']);
  container.kill();
});

test('a container reaches nothing before it has a policy', async () => {
  const container = await driver.create(kindOf(128, 'egress'));
  const body = `const code = (promise) => promise.then(String, (error) => error.cause?.code);
    return await code(fetch('http://${world.web4}/'));`;
  assert.equal(await evaluate(container, body), 'ECONNREFUSED');
  container.kill();
});

test('a packet with another source address goes nowhere', async () => {
  const container = await driver.create(kindOf(128, 'egress'));
  await container.setEgress('public');
  const denials: string[] = [];
  container.events = { ...container.events, denied: ({ reason, target }) => void denials.push(`${reason} ${target}`) };
  const received: string[] = [];
  for (const address of [world.web4, world.web6]) {
    await lab.receive(lab.internet, address, (from) => received.push(from));
  }
  // What no function can do: root of the host gives the container's interface other addresses, and sends from them.
  const inside = lab.visit(container.pid);
  const [own4 = '', own6 = ''] = lab.addressesOf(inside, 'eth0');
  for (const address of ['10.214.0.200', world.private4, '8.8.8.8']) {
    lab.native.addAddress(inside.routes, 'eth0', address, 32);
    await lab.sendFrom(inside, address, world.web4);
  }
  for (const address of ['fd68:6f62:1::77', world.private6]) {
    lab.native.addAddress(inside.routes, 'eth0', address, 128);
    await lab.sendFrom(inside, address, world.web6);
  }
  // Packets keep their order, so that none of the others is still under way when this one is there.
  await lab.sendFrom(inside, own4, world.web4);
  await lab.sendFrom(inside, own6, world.web6);
  while (received.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(received.toSorted(), [world.host6, world.host4].toSorted());
  container.kill();
  await container.exited;
  // Questions for neighbours' link addresses are refused too.
  const datagrams = denials.filter((text) => text.includes('udp')).toSorted();
  assert.deepEqual(datagrams, [`spoofed udp ${world.web4}:${SINK_PORT}`, `spoofed udp [${world.web6}]:${SINK_PORT}`]);
});

test('abstract sockets of the host are out of reach', async () => {
  const name = `\0hob-egress-test-${process.pid}`;
  const server = createServer((socket) => socket.end('host'));
  await new Promise<void>((resolve) => server.listen(name, resolve));
  const container = await driver.create(kindOf(128, 'egress'));
  const body = `return settle(new Promise((resolve, reject) =>
    net.connect('\\0' + ${JSON.stringify(name.slice(1))}).on('connect', () => resolve('reached')).on('error', reject)));`;
  const { text } = await runInside(container, 'public', body);
  assert.equal(text, 'ECONNREFUSED');
  await new Promise((resolve) => server.close(resolve));
});
