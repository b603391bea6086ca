import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUNDLE_CODE, checkFunctionConfig } from '@hob/contracts';
import { RedisTarget } from '@hob/redis';
import { Redis } from 'ioredis';
import { prepareRedis } from '../src/index.ts';
import { refuseUnfit } from '../src/redis-fitness.ts';
import { addBundle } from './support/bundle.ts';
import { deployLive } from './support/deploy-live.ts';
import { keepingLogger, quiet } from './support/logger.ts';
import { RegistryFixture } from './support/registry-fixture.ts';

const VERSION_KEY = 'hob:data-version';
const code = { [BUNDLE_CODE]: 'export default () => new Response("1");' };

/** A Redis with a registry, and a client for what another hob did to it. */
async function open(): Promise<AsyncDisposable & { fixture: RegistryFixture; redis: Redis; target: RedisTarget }> {
  const fixture = await RegistryFixture.open();
  const { target } = fixture.server;
  const redis = new Redis(fixture.server.socketPath, { disableClientInfo: true });
  const dispose = async (): Promise<void> => {
    redis.disconnect();
    await fixture[Symbol.asyncDispose]();
  };
  return { fixture, redis, target, [Symbol.asyncDispose]: dispose };
}

/** Everything that is in Redis, as it is written to the disk. */
async function contents(redis: Redis): Promise<Record<string, string>> {
  const keys = (await redis.keys('*')).toSorted();
  const values = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  return Object.fromEntries(keys.map((key, at) => [key, values[at]?.toString('hex') ?? '']));
}

test('prepareRedis accepts the private Redis without a warning, and gives its data a version', async () => {
  await using it = await open();
  const { log, lines } = keepingLogger();
  await prepareRedis(it.target, log);
  assert.deepEqual(await it.redis.keys('*'), [VERSION_KEY]);
  assert.equal(await it.redis.get(VERSION_KEY), '1');
  assert.deepEqual(
    lines.filter((line) => (JSON.parse(line) as { level: number }).level > 30),
    [],
  );
  const written = await contents(it.redis);
  await prepareRedis(it.target, quiet);
  assert.deepEqual(await contents(it.redis), written);
});

test('prepareRedis refuses every maxmemory-policy but noeviction, and leaves Redis as it is', async () => {
  await using it = await open();
  for (const policy of ['allkeys-lru', 'volatile-lru', 'allkeys-random', 'volatile-ttl']) {
    await it.redis.config('SET', 'maxmemory-policy', policy);
    await assert.rejects(prepareRedis(it.target, quiet), {
      code: 'ERR_SERVE_REDIS_UNFIT',
      message: new RegExp(`redis.sock has maxmemory-policy ${policy}, .*; set "maxmemory-policy noeviction"`),
    });
  }
  assert.deepEqual(await it.redis.keys('*'), []);
  await it.redis.config('SET', 'maxmemory-policy', 'noeviction');
  await prepareRedis(it.target, quiet);
});

test('A Redis older than 6.2 is refused, and newer ones are not', async () => {
  await using it = await open();
  const info = await it.redis.info();
  const ofVersion = (version: string): string => info.replace(/^redis_version:.*$/m, `redis_version:${version}\r`);
  for (const version of ['6.1.240', '6.0.16', '5.0.14', '2.8.24']) {
    assert.throws(() => refuseUnfit(ofVersion(version), it.target, quiet), {
      code: 'ERR_SERVE_REDIS_UNFIT',
      message: `Redis cannot be used: ${String(it.target)} has version ${version}; use Redis 6.2 or newer`,
    });
  }
  for (const version of ['6.2.0', '6.10.1', '7.0.15', '8.2.1', '10.0.0', '255.255.255']) {
    refuseUnfit(ofVersion(version), it.target, quiet);
  }
});

test('prepareRedis goes on with a Redis that refuses INFO, and logs what it could not check', async () => {
  await using it = await open();
  await it.redis.call('ACL', 'SETUSER', 'default', '-info', '-config');
  const { log, lines } = keepingLogger();
  await prepareRedis(it.target, log);
  const warning = lines.map((line) => JSON.parse(line) as { unknown?: string[] }).find((line) => line.unknown);
  assert.deepEqual(warning?.unknown, ['its version', 'its maxmemory-policy']);
  assert.equal(await it.redis.get(VERSION_KEY), '1');
});

test('prepareRedis refuses data of a newer hob, or whose version is no number, and leaves it as it is', async () => {
  await using it = await open();
  await deployLive(
    it.fixture.registry,
    checkFunctionConfig({ name: 'hello' }),
    await addBundle(it.fixture.bundles, code),
  );
  for (const version of ['2', '10', 'new', '', '-1', '1.5']) {
    await it.redis.set(VERSION_KEY, version);
    const before = await contents(it.redis);
    await assert.rejects(prepareRedis(it.target, quiet), {
      code: 'ERR_SERVE_DATA_NEWER',
      message: `the data in Redis has version ${version}, and this hob, which is too old for it, knows versions up to 1`,
    });
    assert.deepEqual(await contents(it.redis), before);
  }
});

test('prepareRedis upgrades data of a hob that gave it no version: what was live is, and aliases stay', async () => {
  await using it = await open();
  const { fixture, redis } = it;
  const digest = await addBundle(fixture.bundles, code);
  for (const name of ['hello', 'hello', 'hello', 'other', 'other', 'staged']) {
    await deployLive(fixture.registry, checkFunctionConfig({ name }), digest);
  }
  await redis.del('hob:aliases:hello', 'hob:aliases:staged');
  await redis.hset('hob:functions', 'hello', '2', 'other', '1');
  // Two at the same time, as two hobs on one Redis do.
  await Promise.all([prepareRedis(it.target, quiet), prepareRedis(it.target, quiet)]);
  assert.equal(await redis.get(VERSION_KEY), '1');
  const registry = await fixture.reopen();
  assert.equal(registry.resolve('hello').version, 2);
  assert.equal(registry.resolve('other').version, 2);
  assert.throws(() => registry.resolve('staged'), { code: 'ERR_FN_NOT_LIVE' });
  await registry.promote('hello', 3);
  assert.deepEqual((await registry.rollback('hello')).weights, [{ version: 2, weight: 100 }]);
});

test('prepareRedis does an upgrade again that was cut off before its version was written', async () => {
  await using it = await open();
  const { fixture, redis } = it;
  const digest = await addBundle(fixture.bundles, code);
  for (const name of ['hello', 'hello']) await deployLive(fixture.registry, checkFunctionConfig({ name }), digest);
  await redis.hset('hob:functions', 'hello', '1');
  await redis.del('hob:aliases:hello');
  await prepareRedis(it.target, quiet);
  const upgraded = await contents(redis);
  await redis.del(VERSION_KEY);
  await prepareRedis(it.target, quiet);
  assert.deepEqual(await contents(redis), upgraded);
});

test('prepareRedis ends with a code when there is no Redis', async () => {
  await assert.rejects(prepareRedis(RedisTarget.parse('/nowhere/redis.sock'), quiet), {
    code: 'ERR_REGISTRY_UNAVAILABLE',
  });
});
