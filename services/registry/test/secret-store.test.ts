import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { checkFunctionConfig, type FunctionVersion } from '@hob/contracts';
import { Redis } from 'ioredis';
import { SECRET_KEY_BYTES, SecretStore } from '../src/index.ts';
import { quiet } from './support/logger.ts';
import { MemoryKeys } from './support/memory-keys.ts';
import { RegistryFixture } from './support/registry-fixture.ts';
import { until } from './support/until.ts';

const key = randomBytes(SECRET_KEY_BYTES);

function versionOf(...secrets: string[]): FunctionVersion {
  const config = checkFunctionConfig({ name: 'hello', secrets });
  return { name: 'hello', version: 1, digest: '', config, bundleBytes: 0, hasAssets: false, createdAt: '' };
}

async function open(fixture: RegistryFixture, ownKey = key): Promise<SecretStore> {
  return SecretStore.open({ redis: fixture.server.target, keys: new MemoryKeys(ownKey), log: quiet });
}

/** All that Redis holds, as text. */
async function dump(fixture: RegistryFixture): Promise<string> {
  const redis = new Redis(fixture.server.socketPath, { disableClientInfo: true });
  const text = JSON.stringify([await redis.hgetall('hob:secrets'), await redis.get('hob:secret-check')]);
  redis.disconnect();
  return text;
}

test('SecretStore gives a version the secrets that it names, also after a restart, and nobody else their values', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  const canary = `canary-${randomBytes(8).toString('hex')}-grüße\n`;
  await store.set('hello', 'API_KEY', canary);
  await store.set('hello', 'OTHER', 'other');
  await using again = await open(fixture);
  for (const each of [store, again]) {
    assert.deepEqual(each.env(versionOf('API_KEY')), { API_KEY: canary });
    assert.deepEqual(each.env(versionOf()), {});
    assert.deepEqual(
      each.list('hello').map(({ name }) => name),
      ['API_KEY', 'OTHER'],
    );
    assert.ok(!JSON.stringify(each.list('hello')).includes('canary'));
  }
  const text = await dump(fixture);
  assert.ok(text.includes('hello/API_KEY'));
  for (const form of [
    canary,
    canary.trim(),
    Buffer.from(canary).toString('base64').slice(0, 20),
    key.toString('base64'),
  ]) {
    assert.ok(!text.includes(form), 'Redis holds the value or the key');
  }
});

test('SecretStore encrypts the same value each time in another way', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  const seen = new Set<string>();
  for (let time = 0; time < 20; time += 1) {
    await store.set('hello', 'API_KEY', 'same');
    seen.add(await dump(fixture));
  }
  assert.equal(seen.size, 20);
});

test('SecretStore refuses a secret that was moved to another name, or changed, in Redis', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  await store.set('hello', 'API_KEY', 'sesame');
  const redis = new Redis(fixture.server.socketPath, { disableClientInfo: true });
  const stored = (await redis.hget('hob:secrets', 'hello/API_KEY')) ?? '';
  await redis.hset('hob:secrets', 'hello/MOVED', stored);
  const { sealed, updatedAt } = JSON.parse(stored) as { sealed: string; updatedAt: string };
  const bytes = Buffer.from(sealed.slice(3), 'base64');
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await redis.hset(
    'hob:secrets',
    'hello/CHANGED',
    JSON.stringify({ sealed: `v1:${bytes.toString('base64')}`, updatedAt }),
  );
  redis.disconnect();
  await using again = await open(fixture);
  assert.deepEqual(again.env(versionOf('API_KEY')), { API_KEY: 'sesame' });
  assert.throws(() => again.env(versionOf('MOVED')));
  assert.throws(() => again.env(versionOf('CHANGED')));
});

test('SecretStore.open refuses another key than the one that was used', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  await store.set('hello', 'API_KEY', 'sesame');
  await assert.rejects(open(fixture, randomBytes(SECRET_KEY_BYTES)), { code: 'ERR_SERVE_SECRET_KEY' });
});

test('SecretStore names what is missing, and a version without a secret that it names cannot be loaded', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  await store.set('hello', 'A', 'a');
  const version = versionOf('A', 'B');
  assert.deepEqual(store.missing(version.config), ['B']);
  assert.throws(() => store.env(version), { code: 'ERR_FN_LOAD_FAILED' });
  await store.set('hello', 'B', 'b');
  assert.deepEqual(store.missing(version.config), []);
  await store.remove('hello', 'B');
  assert.deepEqual(store.missing(version.config), ['B']);
  await assert.rejects(store.remove('hello', 'B'), { code: 'ERR_SECRET_NOT_FOUND' });
});

test('SecretStore keeps functions apart, and removes all that one has', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  await store.set('hello', 'A', 'a');
  await store.set('hello-2', 'A', 'b');
  await store.removeAll('hello');
  for (const each of [store, await open(fixture)]) {
    assert.deepEqual(each.list('hello'), []);
    assert.equal(each.list('hello-2').length, 1);
    if (each !== store) await each.close();
  }
});

test('SecretStore refuses names and values that no secret can have', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  const refused: [string, string][] = [
    ['1A', 'x'],
    ['A-B', 'x'],
    ['a/b', 'x'],
    ['', 'x'],
    ['__proto__', 'x'],
    ['A', ''],
    ['A', 'a\0b'],
    ['A', 'x'.repeat(32 * 1024 + 1)],
  ];
  for (const [name, value] of refused) {
    await assert.rejects(store.set('hello', name, value), { code: 'ERR_API_BAD_REQUEST' });
  }
  const set = async (): Promise<void> => {
    for (let at = 0; at < 9; at += 1) await store.set('hello', `KEY_${at}`, 'x'.repeat(32 * 1024));
  };
  await assert.rejects(set(), { code: 'ERR_API_BAD_REQUEST' });
});

test('SecretStore goes on with what it has while Redis is away, and refuses changes', async () => {
  await using fixture = await RegistryFixture.open();
  await using store = await open(fixture);
  await store.set('hello', 'A', 'a');
  await fixture.killRedis();
  assert.deepEqual(store.env(versionOf('A')), { A: 'a' });
  await until('changes are taken again', async () => {
    try {
      await store.set('hello', 'A', 'b');
      return true;
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ERR_REGISTRY_UNAVAILABLE');
      return false;
    }
  });
  assert.deepEqual(store.env(versionOf('A')), { A: 'b' });
});
