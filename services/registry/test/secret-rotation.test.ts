import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkFunctionConfig, type FunctionVersion } from '@hob/contracts';
import { RedisTarget } from '@hob/redis';
import { Redis } from 'ioredis';
import { SECRET_KEY_BYTES, SecretCipher, type SecretKeySource, SecretStore } from '../src/index.ts';
import { CuttingProxy } from './support/cutting-proxy.ts';
import { quiet } from './support/logger.ts';
import { MemoryKeys } from './support/memory-keys.ts';
import { RegistryFixture } from './support/registry-fixture.ts';
import { until } from './support/until.ts';

const newKey = (): Buffer => randomBytes(SECRET_KEY_BYTES);
const idOf = (key: Buffer | undefined): string => new SecretCipher(key ?? assert.fail('no key')).id;

function versionOf(...secrets: string[]): FunctionVersion {
  const config = checkFunctionConfig({ name: 'hello', secrets });
  return { name: 'hello', version: 1, digest: '', config, bundleBytes: 0, hasAssets: false, createdAt: '' };
}

async function open(fixture: RegistryFixture, keys: SecretKeySource): Promise<SecretStore> {
  return SecretStore.open({ redis: fixture.server.target, keys, log: quiet });
}

async function inRedis<T>(fixture: RegistryFixture, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(fixture.server.socketPath, { disableClientInfo: true });
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

test('SecretStore.rotateKey() encrypts all secrets with a new key, and the former one opens none of them', async () => {
  await using fixture = await RegistryFixture.open();
  const former = newKey();
  const keys = new MemoryKeys(former);
  await using store = await open(fixture, keys);
  await store.set('hello', 'A', 'a');
  const [before] = store.list('hello');
  await store.set('other', 'B', 'b');
  const note = await store.rotateKey();
  assert.deepEqual(note, { key: idOf(keys.keys[0]), former: idOf(former), secrets: 2 });
  assert.notEqual(note.key, note.former);
  await store.set('hello', 'C', 'c');
  await using again = await open(fixture, new MemoryKeys(...keys.keys.slice(0, 1)));
  for (const each of [store, again]) {
    assert.deepEqual(each.env(versionOf('A', 'C')), { A: 'a', C: 'c' });
    assert.deepEqual(each.list('hello')[0], before, 'it was not set again');
  }
  await assert.rejects(open(fixture, new MemoryKeys(former)), {
    code: 'ERR_SERVE_SECRET_KEY',
    message: `the secrets in Redis were encrypted with the key ${note.key}, and a test is ${note.former}`,
  });
});

test('SecretStore.rotateKey() loses no secret that is set or removed at the same time', async () => {
  await using fixture = await RegistryFixture.open();
  const keys = new MemoryKeys(newKey());
  await using store = await open(fixture, keys);
  await using beside = await open(fixture, keys);
  const names = Array.from({ length: 20 }, (_, at) => `S${at}`);
  const rotated = async (): Promise<void> => {
    for (let time = 0; time < 10; time++) await store.rotateKey();
  };
  await Promise.all([
    rotated(),
    ...names.map((name, at) => (at % 2 === 0 ? store : beside).set('hello', name, `value of ${name}`)),
    store.set('hello', 'GONE', 'x').then(() => store.remove('hello', 'GONE')),
  ]);
  await using again = await open(fixture, keys);
  const expected = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
  assert.deepEqual(again.env(versionOf(...names)), expected);
  assert.deepEqual(again.missing(versionOf('GONE').config), ['GONE']);
});

test('SecretStore stores nothing with a key that was replaced elsewhere', async () => {
  await using fixture = await RegistryFixture.open();
  const former = newKey();
  await using store = await open(fixture, new MemoryKeys(former));
  await using left = await open(fixture, new MemoryKeys(former));
  await store.set('hello', 'A', 'a');
  await store.rotateKey();
  await assert.rejects(left.set('hello', 'A', 'b'), { code: 'ERR_SERVE_SECRET_KEY' });
  await assert.rejects(left.rotateKey(), { code: 'ERR_SERVE_SECRET_KEY' });
  assert.deepEqual(store.env(versionOf('A')), { A: 'a' });
});

test('SecretStore.rotateKey(), cut off before its answer, has lost nothing, goes on, and can be called again', async () => {
  await using fixture = await RegistryFixture.open();
  const redis = fixture.server.socketPath;
  await using proxy = await CuttingProxy.start(redis, join(dirname(redis), 'proxy.sock'));
  const keys = new MemoryKeys(newKey());
  await using store = await SecretStore.open({ redis: RedisTarget.parse(proxy.path), keys, log: quiet });
  await store.set('hello', 'A', 'a');
  proxy.cutAt = 'HLEN';
  await assert.rejects(store.rotateKey(), { code: 'ERR_REGISTRY_UNAVAILABLE' });
  assert.equal(proxy.cuts, 1);
  proxy.cutAt = undefined;
  assert.deepEqual(store.env(versionOf('A')), { A: 'a' });
  // What a start finds now, whatever is on the disk.
  await using started = await open(fixture, new MemoryKeys(...keys.keys));
  assert.deepEqual(started.env(versionOf('A')), { A: 'a' });
  await store.set('hello', 'B', 'b');
  const { key } = await store.rotateKey();
  assert.equal(key, idOf(keys.keys[0]));
  await using again = await open(fixture, new MemoryKeys(...keys.keys.slice(0, 1)));
  assert.deepEqual(again.env(versionOf('A', 'B')), { A: 'a', B: 'b' });
});

test('SecretStore.open() encrypts what the former key opens with the key in use', async () => {
  await using fixture = await RegistryFixture.open();
  const [former, key] = [newKey(), newKey()];
  {
    await using store = await open(fixture, new MemoryKeys(former));
    await store.set('hello', 'A', 'a');
  }
  const both = new MemoryKeys(key);
  both.former = former;
  for (const keys of [both, both, new MemoryKeys(key)]) {
    await using store = await open(fixture, keys);
    assert.deepEqual(store.env(versionOf('A')), { A: 'a' });
  }
  await assert.rejects(open(fixture, new MemoryKeys(former)), { code: 'ERR_SERVE_SECRET_KEY' });
});

test('SecretStore names the key of data of a hob that did not, and says so when it is another one', async () => {
  await using fixture = await RegistryFixture.open();
  const key = newKey();
  await (await open(fixture, new MemoryKeys(key))).close();
  await inRedis(fixture, (redis) => redis.del('hob:secret-key-id'));
  await assert.rejects(open(fixture, new MemoryKeys(newKey())), /encrypted with another key, and a test is /);
  await (await open(fixture, new MemoryKeys(key))).close();
  await assert.rejects(open(fixture, new MemoryKeys()), {
    message: `the secrets in Redis were encrypted with the key ${idOf(key)}, and there is no a test`,
  });
});

test('SecretStore.rotateKey() refuses to go over a damaged secret, which can be set again or removed', async () => {
  await using fixture = await RegistryFixture.open();
  const keys = new MemoryKeys(newKey());
  await using store = await open(fixture, keys);
  await store.set('hello', 'A', 'a');
  for (const damaged of ['{', JSON.stringify({ sealed: 'v1:AAAA', updatedAt: '' })]) {
    await inRedis(fixture, (redis) => redis.hset('hob:secrets', 'hello/BAD', damaged));
    await using again = await open(fixture, keys);
    await assert.rejects(again.rotateKey(), { code: 'ERR_SECRET_DAMAGED', message: /hello\/BAD/ });
    assert.throws(() => again.env(versionOf('BAD')), { code: 'ERR_SECRET_DAMAGED' });
    assert.deepEqual(again.env(versionOf('A')), { A: 'a' });
  }
  await using again = await open(fixture, keys);
  await again.set('hello', 'BAD', 'good');
  await again.rotateKey();
  assert.deepEqual(again.env(versionOf('A', 'BAD')), { A: 'a', BAD: 'good' });
});

test('SecretStore goes on with its key when Redis has lost everything', async () => {
  await using fixture = await RegistryFixture.open();
  const keys = new MemoryKeys(newKey());
  await using store = await open(fixture, keys);
  await store.rotateKey();
  await inRedis(fixture, (redis) => redis.flushall());
  await store.set('hello', 'A', 'a');
  await until('it is read', () => store.list('hello').length === 1);
  await using again = await open(fixture, new MemoryKeys(...keys.keys.slice(0, 1)));
  assert.deepEqual(again.env(versionOf('A')), { A: 'a' });
});
