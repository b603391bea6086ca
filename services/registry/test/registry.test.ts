import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BUNDLE_CODE, checkFunctionConfig, type FunctionConfig, isHobError } from '@hob/contracts';
import { RedisTarget } from '@hob/redis';
import { Redis } from 'ioredis';
import { RedisServer, Registry } from '../src/index.ts';
import { addBundle, digestOf } from './support/bundle.ts';
import { deployLive } from './support/deploy-live.ts';
import { keepingLogger, quiet } from './support/logger.ts';
import { RegistryFixture } from './support/registry-fixture.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

const code = { [BUNDLE_CODE]: 'export default () => new Response("1");' };
const other = { [BUNDLE_CODE]: 'export default () => new Response("2");', 'data/a.txt': 'a' };

function configOf(name: string): FunctionConfig {
  return checkFunctionConfig({ name });
}

/** Ends within a bounded time with the code that tells that Redis is away. */
async function assertUnavailable(action: Promise<unknown>): Promise<void> {
  await assert.rejects(action, { code: 'ERR_REGISTRY_UNAVAILABLE' });
}

test('Registry.deploy makes a version of the bundle, and Registry.promote makes it live', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const config = checkFunctionConfig({ name: 'hello', memoryMb: 512, env: { GREETING: 'hej' } });
  const first = await deployLive(registry, config, await addBundle(bundles, code));
  assert.deepEqual(first, {
    name: 'hello',
    version: 1,
    digest: digestOf(code),
    config,
    bundleBytes: Buffer.byteLength(code[BUNDLE_CODE] ?? ''),
    hasAssets: false,
    createdAt: first.createdAt,
  });
  assert.equal(new Date(first.createdAt).toISOString(), first.createdAt);
  const second = await deployLive(registry, configOf('hello'), await addBundle(bundles, other));
  assert.equal(second.version, 2);
  assert.equal(second.hasAssets, true);
  assert.deepEqual(registry.resolve('hello'), second);
  assert.deepEqual(registry.resolve('hello', 1), first);
  const { summary, versions } = registry.describe('hello');
  assert.deepEqual(versions, [first, second]);
  assert.deepEqual([summary.name, summary.live, summary.versions], ['hello', second, [1, 2]]);
  assert.deepEqual(registry.list(), [summary]);
});

test('Registry answers the same after a restart, sorted by name', async () => {
  await using fixture = await RegistryFixture.open();
  const digest = await addBundle(fixture.bundles, code);
  for (const name of ['b', 'c', 'a', 'b']) await deployLive(fixture.registry, configOf(name), digest);
  const before = fixture.registry.list();
  assert.deepEqual(
    before.map(({ name, versions }) => [name, versions]),
    [
      ['a', [1]],
      ['b', [1, 2]],
      ['c', [1]],
    ],
  );
  const registry = await fixture.reopen();
  assert.deepEqual(registry.list(), before);
  assert.deepEqual(registry.resolve('b', 1).digest, digest);
});

test('Registry names what does not exist', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  await deployLive(registry, configOf('hello'), await addBundle(bundles, code));
  assert.throws(() => registry.resolve('nobody'), { code: 'ERR_FN_NOT_FOUND' });
  assert.throws(() => registry.resolve('__proto__'), { code: 'ERR_FN_NOT_FOUND' });
  assert.throws(() => registry.describe('nobody'), { code: 'ERR_FN_NOT_FOUND' });
  assert.throws(() => registry.resolve('hello', 2), { code: 'ERR_FN_VERSION_NOT_FOUND' });
  await assert.rejects(registry.remove('nobody'), { code: 'ERR_FN_NOT_FOUND' });
});

test('Registry.deploy refuses a bundle that is not in the store and settings that are not accepted', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  for (const digest of ['f'.repeat(64), '../x', '']) {
    await assert.rejects(registry.deploy(configOf('hello'), digest), { code: 'ERR_BUNDLE_INVALID' });
  }
  const digest = await addBundle(bundles, code);
  const config = { ...configOf('hello'), memoryMb: 1 };
  await assert.rejects(registry.deploy(config, digest), { code: 'ERR_CONFIG_INVALID' });
  assert.deepEqual(registry.list(), []);
  assert.deepEqual((await fixture.reopen()).list(), []);
});

test('Registry.deploy gives 50 parallel deploys 50 numbers, and the last is live, also in Redis', async () => {
  await using fixture = await RegistryFixture.open();
  const digest = await addBundle(fixture.bundles, code);
  const versions = await Promise.all(
    Array.from({ length: 50 }, () => deployLive(fixture.registry, configOf('busy'), digest)),
  );
  const numbers = Array.from({ length: 50 }, (_, index) => index + 1);
  assert.deepEqual(
    versions.map(({ version }) => version).toSorted((a, b) => a - b),
    numbers,
  );
  for (const registry of [fixture.registry, await fixture.reopen()]) {
    const { summary } = registry.describe('busy');
    assert.equal(summary.live?.version, 50);
    assert.deepEqual(summary.versions, numbers);
  }
});

test('Registry.deploy gives parallel deploys of two registries different numbers', async () => {
  await using fixture = await RegistryFixture.open();
  const { bundles, server } = fixture;
  const digest = await addBundle(bundles, code);
  await using second = await Registry.open({ redis: server.target, bundles, log: quiet });
  const versions = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      deployLive(index % 2 ? second : fixture.registry, configOf('busy'), digest),
    ),
  );
  assert.equal(new Set(versions.map(({ version }) => version)).size, 40);
  assert.equal((await fixture.reopen()).resolve('busy').version, 40);
});

test('Registry.remove removes all of a function but never gives its numbers again', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles, server } = fixture;
  await deployLive(registry, configOf('hello'), await addBundle(bundles, code));
  await deployLive(registry, configOf('hello'), await addBundle(bundles, other));
  await registry.remove('hello');
  assert.throws(() => registry.resolve('hello'), { code: 'ERR_FN_NOT_FOUND' });
  const redis = new Redis(server.socketPath, { disableClientInfo: true });
  assert.deepEqual(await redis.keys('*'), ['hob:counters']);
  redis.disconnect();
  const again = await fixture.reopen();
  assert.deepEqual(again.list(), []);
  assert.equal((await deployLive(again, configOf('hello'), await addBundle(bundles, code))).version, 3);
});

test('Registry.remove removes the bundles that no other function uses', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles, bundlesFolder } = fixture;
  await deployLive(registry, configOf('one'), await addBundle(bundles, code));
  await deployLive(registry, configOf('one'), await addBundle(bundles, other));
  await deployLive(registry, configOf('two'), await addBundle(bundles, code));
  await registry.remove('one');
  assert.deepEqual(await readdir(bundlesFolder), [digestOf(code)]);
  await registry.remove('two');
  assert.deepEqual(await readdir(bundlesFolder), []);
});

test('Registry.remove keeps a bundle that was added for a deploy that is yet to come', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  await deployLive(registry, configOf('one'), await addBundle(bundles, code));
  const digest = await addBundle(bundles, code);
  await registry.remove('one');
  assert.equal((await deployLive(registry, configOf('two'), digest)).version, 1);
  assert.equal(await bundles.has(digest), true);
});

test('Registry never breaks a deploy by a removal at the same time', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  for (let round = 0; round < 10; round += 1) {
    await deployLive(registry, configOf('one'), await addBundle(bundles, code));
    const digest = await addBundle(bundles, code);
    await Promise.all([registry.remove('one'), deployLive(registry, configOf('two'), digest)]);
    assert.equal(await bundles.has(registry.resolve('two').digest), true);
    await registry.remove('two');
  }
});

test('Registry answers from memory while Redis is away, and refuses changes within a bounded time', async () => {
  await using folder = await temporaryFolder();
  await using fixture = await RegistryFixture.open();
  const { bundles } = fixture;
  // A Redis that nobody starts again.
  const server = await RedisServer.start({ folder: join(folder.path, 'redis'), log: quiet });
  const { log, lines } = keepingLogger();
  await using registry = await Registry.open({ redis: server.target, bundles, log });
  const digest = await addBundle(bundles, code);
  const deployed = await deployLive(registry, configOf('hello'), digest);
  await server.stop();
  await until('the loss of the connection', () => !registry.available);
  await Promise.all([
    assertUnavailable(registry.deploy(configOf('hello'), digest)),
    assertUnavailable(registry.deploy(configOf('new'), digest)),
    assertUnavailable(registry.remove('hello')),
  ]);
  assert.deepEqual(registry.resolve('hello'), deployed);
  assert.equal(registry.list().length, 1);
  assert.equal(registry.describe('hello').versions.length, 1);
  assert.equal(await bundles.has(digest), true);
  // One line tells of it, not one for each attempt to connect.
  assert.ok(lines.length >= 1 && lines.length <= 4, lines.join(''));
});

test('Registry gives no number twice, also when Redis has lost its last writes', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles, server } = fixture;
  const digest = await addBundle(bundles, code);
  for (const _ of [1, 2, 3]) await deployLive(registry, configOf('hello'), digest);
  const redis = new Redis(server.socketPath, { disableClientInfo: true });
  redis.on('error', () => {}); // Redis is killed.
  await redis.hset('hob:counters', 'hello', '1');
  await redis.hdel('hob:versions:hello', '2', '3');
  redis.disconnect();
  await fixture.killRedis();
  await until('memory is as Redis', () => registry.current && registry.describe('hello').versions.length === 1);
  assert.equal((await registry.deploy(configOf('hello'), digest)).version, 4);
});

test('Registry.open fails within a bounded time when there is no Redis', async () => {
  await using folder = await temporaryFolder();
  await using fixture = await RegistryFixture.open();
  const redis = RedisTarget.parse(join(folder.path, 'nothing.sock'));
  await assertUnavailable(Registry.open({ redis, bundles: fixture.bundles, log: quiet }));
});

test('Registry loses no answered deploy when Redis is killed again and again, and knows the truth afterwards', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const digest = await addBundle(bundles, code);
  const answered: number[] = [];
  const running = new AbortController();
  const deploys = Array.from({ length: 4 }, async () => {
    while (!running.signal.aborted) {
      try {
        answered.push((await deployLive(registry, configOf('busy'), digest)).version);
      } catch (error) {
        assert.ok(isHobError(error) && error.code === 'ERR_REGISTRY_UNAVAILABLE', String(error));
      }
    }
  });
  for (let round = 0; round < 4; round += 1) {
    const before = answered.length;
    await until('deploys', () => answered.length > before + 10);
    await fixture.killRedis();
    await until('the connection', () => registry.available);
  }
  running.abort();
  await Promise.all(deploys);
  await until('what is in memory is read again', () => registry.current);
  const known = registry.describe('busy').summary.versions;
  assert.equal(new Set(answered).size, answered.length, 'no number was given twice');
  const { versions } = (await fixture.reopen()).describe('busy').summary;
  assert.deepEqual(
    answered.filter((version) => !versions.includes(version)),
    [],
  );
  // A deploy whose answer was lost may be there or not, but memory and Redis agree.
  assert.deepEqual(known, versions);
});

test('Registry refuses changes within a bounded time when Redis is stuck, and learns afterwards what became of them', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const digest = await addBundle(bundles, code);
  process.kill(fixture.redisPid, 'SIGSTOP');
  try {
    await assertUnavailable(registry.deploy(configOf('stuck'), digest));
    assert.throws(() => registry.resolve('stuck'), { code: 'ERR_FN_NOT_FOUND' });
  } finally {
    process.kill(fixture.redisPid, 'SIGCONT');
  }
  assert.equal(await bundles.has(digest), true);
  // The server reads what was sent to it before it sees that the connection is gone.
  await until('the truth', () => registry.list().length === 1);
  assert.equal(registry.resolve('stuck', 1).version, 1);
  assert.throws(() => registry.resolve('stuck'), { code: 'ERR_FN_NOT_LIVE' });
});

test('Registry.available tells that Redis answers nothing though it has a connection, and that it answers again', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry } = fixture;
  process.kill(fixture.redisPid, 'SIGSTOP');
  try {
    await until('it is known', () => !registry.available);
  } finally {
    process.kill(fixture.redisPid, 'SIGCONT');
  }
  await until('it is known', () => registry.available);
});

test('Registry leaves out what cannot be read, and says so', async () => {
  await using fixture = await RegistryFixture.open();
  const { bundles, server } = fixture;
  await deployLive(fixture.registry, configOf('good'), await addBundle(bundles, code));
  await deployLive(fixture.registry, configOf('good'), await addBundle(bundles, code));
  const redis = new Redis(server.socketPath, { disableClientInfo: true });
  await redis.hset('hob:functions', 'bad', '1', 'empty', '1');
  await redis.hset('hob:versions:bad', '1', '{"config":{}}');
  await redis.hset('hob:versions:good', '2', 'no JSON');
  redis.disconnect();
  const { log, lines } = keepingLogger();
  await using registry = await Registry.open({ redis: server.target, bundles, log });
  assert.deepEqual(
    registry.list().map((summary) => [summary.name, summary.live?.version]),
    [['good', 1]],
  );
  assert.equal(lines.filter((line) => line.includes('cannot be read')).length, 2);
});

test('Registry fills in settings that did not exist when a version was deployed', async () => {
  await using fixture = await RegistryFixture.open();
  const { server } = fixture;
  await deployLive(fixture.registry, configOf('old'), await addBundle(fixture.bundles, code));
  const redis = new Redis(server.socketPath, { disableClientInfo: true });
  const stored = JSON.parse((await redis.hget('hob:versions:old', '1')) ?? '') as { config: object };
  await redis.hset('hob:versions:old', '1', JSON.stringify({ ...stored, config: { name: 'old' } }));
  redis.disconnect();
  assert.deepEqual((await fixture.reopen()).resolve('old').config, configOf('old'));
});

test('Registry.close refuses changes made after it, and can be called again', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const digest = await addBundle(bundles, code);
  await deployLive(registry, configOf('hello'), digest);
  await registry.close();
  await registry.close();
  await assert.rejects(registry.deploy(configOf('hello'), digest), { code: 'ERR_SCHED_CLOSED' });
  await assert.rejects(registry.remove('hello'), { code: 'ERR_SCHED_CLOSED' });
  assert.equal(registry.resolve('hello').version, 1);
});
