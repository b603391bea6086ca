import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AliasWeight, BUNDLE_CODE, checkFunctionConfig } from '@hob/contracts';
import { Redis } from 'ioredis';
import { Registry } from '../src/index.ts';
import { addBundle } from './support/bundle.ts';
import { deployLive } from './support/deploy-live.ts';
import { quiet } from './support/logger.ts';
import { RegistryFixture } from './support/registry-fixture.ts';

const config = checkFunctionConfig({ name: 'hello' });
const whole = (version: number): AliasWeight[] => [{ version, weight: 100 }];
const part = (version: number, weight: number): AliasWeight => ({ version, weight });

/** A registry with versions of `hello`, the last of which is live. */
async function withVersions(fixture: RegistryFixture, count: number): Promise<Registry> {
  const digest = await addBundle(fixture.bundles, { [BUNDLE_CODE]: 'export default 1;' });
  for (let version = 1; version <= count; version += 1) await deployLive(fixture.registry, config, digest);
  return fixture.registry;
}

test('Registry.deploy leaves the live version as it is until it is promoted', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const digest = await addBundle(bundles, { [BUNDLE_CODE]: '1' });
  await registry.deploy(config, digest);
  for (const each of [registry, await fixture.reopen()]) {
    assert.throws(() => each.resolve('hello'), { code: 'ERR_FN_NOT_LIVE' });
    assert.throws(() => each.resolve('hello', 'live'), { code: 'ERR_FN_NOT_LIVE' });
    assert.equal(each.resolve('hello', 1).version, 1);
    assert.equal(each.describe('hello').summary.live, undefined);
  }
  await fixture.registry.promote('hello', 1);
  await fixture.registry.deploy(config, digest);
  for (const each of [fixture.registry, await fixture.reopen()]) assert.equal(each.resolve('hello').version, 1);
});

test('Registry.promote never takes the place of a later version', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 3);
  await registry.promote('hello', 2);
  assert.equal(registry.resolve('hello').version, 3);
  await assert.rejects(registry.promote('hello', 9), { code: 'ERR_FN_VERSION_NOT_FOUND' });
  await assert.rejects(registry.promote('nobody', 1), { code: 'ERR_FN_NOT_FOUND' });
});

test('Registry.rollback goes back step by step, also after a restart, until there is nothing before', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 3);
  assert.deepEqual((await registry.rollback('hello')).weights, whole(2));
  assert.equal(registry.resolve('hello').version, 2);
  const again = await fixture.reopen();
  assert.equal(again.resolve('hello').version, 2);
  assert.deepEqual((await again.rollback('hello')).weights, whole(1));
  await assert.rejects(again.rollback('hello'), { code: 'ERR_FN_NO_PREVIOUS' });
  assert.equal(again.resolve('hello').version, 1);
  await assert.rejects(again.rollback('nobody'), { code: 'ERR_FN_NOT_FOUND' });
});

test('Registry.rollback gives the former weights back', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 2);
  const weights = [part(1, 95), part(2, 5)];
  await registry.setAlias('hello', 'live', { weights });
  await registry.setAlias('hello', 'live', { weights: whole(2) });
  assert.deepEqual((await registry.rollback('hello')).weights, weights);
});

test('Registry.setAlias names versions, which calls get by it, and Registry.removeAlias undoes it', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 3);
  await registry.setAlias('hello', 'beta', { weights: whole(1) });
  for (const each of [registry, await fixture.reopen()]) {
    assert.equal(each.resolve('hello', 'beta').version, 1);
    assert.equal(each.resolve('hello').version, 3);
    assert.deepEqual(
      each.inService('hello').map(({ version }) => version),
      [3, 1],
    );
  }
  await fixture.registry.removeAlias('hello', 'beta');
  for (const each of [fixture.registry, await fixture.reopen()]) {
    assert.throws(() => each.resolve('hello', 'beta'), { code: 'ERR_FN_ALIAS_NOT_FOUND' });
  }
  await assert.rejects(fixture.registry.removeAlias('hello', 'beta'), { code: 'ERR_FN_ALIAS_NOT_FOUND' });
});

test('Registry.setAlias refuses what no alias can be, and changes nothing then', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 2);
  const refused: [string, AliasWeight[], string?][] = [
    ['v7', whole(1)],
    ['Beta', whole(1)],
    ['7', whole(1)],
    ['beta', []],
    ['beta', [part(1, 0)]],
    ['beta', [part(1, 1.5)]],
    ['beta', [part(1, 1001)]],
    ['beta', [part(1, 1), part(1, 2)]],
    ['beta', whole(1), 'session'],
    ['beta', whole(1), 'cookie:'],
  ];
  for (const [alias, weights, sticky] of refused) {
    await assert.rejects(registry.setAlias('hello', alias, { weights, sticky }), { code: 'ERR_API_BAD_REQUEST' });
  }
  await assert.rejects(registry.setAlias('hello', 'beta', { weights: [part(1, 1), part(9, 1)] }), {
    code: 'ERR_FN_VERSION_NOT_FOUND',
  });
  await assert.rejects(registry.removeAlias('hello', 'live'), { code: 'ERR_API_BAD_REQUEST' });
  assert.deepEqual(
    (await fixture.reopen()).describe('hello').summary.aliases.map(({ name }) => name),
    ['live'],
  );
});

test('Registry.resolve shares the calls of an alias by its weights', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 2);
  await registry.setAlias('hello', 'live', { weights: [part(1, 75), part(2, 25)] });
  const counts = new Map<number, number>();
  const callsMax = 20_000;
  for (let call = 0; call < callsMax; call += 1) {
    const { version } = registry.resolve('hello', undefined, ['hob-sticky', `user-${call}`]);
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  // These values are always the same ones, so the share is too.
  const share = (counts.get(1) ?? 0) / callsMax;
  assert.ok(share > 0.73 && share < 0.77, `version 1 got ${share}`);
  const random = Array.from({ length: 1000 }, () => registry.resolve('hello').version);
  assert.deepEqual(new Set(random), new Set([1, 2]), 'without the header both are chosen');
});

test('Registry.resolve gives equal values of the sticky header or cookie the same version', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 2);
  const weights = [part(1, 50), part(2, 50)];
  const sources: [string | undefined, (value: string) => string[]][] = [
    [undefined, (value) => ['accept', 'x', 'hob-sticky', value]],
    ['header:X-User', (value) => ['x-user', value]],
    ['cookie:session', (value) => ['cookie', 'a=b', 'cookie', `c=d; session=${value}; e=f`]],
  ];
  for (const [sticky, headers] of sources) {
    await registry.setAlias('hello', 'shared', { weights, sticky });
    const chosen = Array.from({ length: 50 }, (_, user) => {
      const versions = Array.from(
        { length: 20 },
        () => registry.resolve('hello', 'shared', headers(`u${user}`)).version,
      );
      assert.equal(new Set(versions).size, 1, `${sticky}: user ${user} got several`);
      return versions[0];
    });
    assert.equal(new Set(chosen).size, 2, `${sticky}: every user got the same version`);
  }
  await registry.setAlias('hello', 'shared', { weights: [part(1, 60), part(2, 40)] });
  assert.equal(registry.describe('hello').summary.aliases.at(-1)?.sticky, 'cookie:session', 'it stays when not given');
});

test('Registry.resolve moves nobody away from a later version that gets more weight', async () => {
  await using fixture = await RegistryFixture.open();
  const registry = await withVersions(fixture, 2);
  const users = Array.from({ length: 500 }, (_, user) => ['hob-sticky', `u${user}`]);
  let before = new Set<string[]>();
  for (const weight of [5, 20, 50, 95]) {
    await registry.setAlias('hello', 'live', { weights: [part(1, 100 - weight), part(2, weight)] });
    const now = new Set(users.filter((headers) => registry.resolve('hello', undefined, headers).version === 2));
    assert.ok(now.size > before.size && [...before].every((user) => now.has(user)), `at ${weight} %`);
    before = now;
  }
});

test('Registry loses none of many changes of an alias that two registries make at the same time', async () => {
  await using fixture = await RegistryFixture.open();
  await withVersions(fixture, 10);
  const { server, bundles } = fixture;
  await using second = await Registry.open({ redis: server.target, bundles, log: quiet });
  const changes = Array.from({ length: 10 }, (_, at) => {
    return (at % 2 === 0 ? fixture.registry : second).setAlias('hello', 'beta', { weights: whole(at + 1) });
  });
  await Promise.all(changes);
  const redis = new Redis(server.socketPath, { disableClientInfo: true });
  const stored = JSON.parse((await redis.hget('hob:aliases:hello', 'beta')) ?? '') as {
    readonly weights: readonly AliasWeight[];
    readonly previous: readonly (readonly AliasWeight[])[];
  };
  redis.disconnect();
  const states = [...stored.previous, stored.weights].map(([only]) => only?.version ?? 0);
  assert.deepEqual(
    states.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});
