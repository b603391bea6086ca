import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { BUNDLE_CODE, checkFunctionConfig } from '@hob/contracts';
import { Redis } from 'ioredis';
import { DiskBundleStore, Registry } from '../src/index.ts';
import { addBundle, digestOf, filesOf, manifestOf } from './support/bundle.ts';
import { deployLive } from './support/deploy-live.ts';
import { quiet } from './support/logger.ts';
import { RegistryFixture } from './support/registry-fixture.ts';

const config = checkFunctionConfig({ name: 'hello' });
const contents = (at: number | string) => ({ [BUNDLE_CODE]: `export default ${at};`, 'data.txt': `${at}` });
const unused = (): boolean => false;

/** A registry that keeps three versions. */
async function keeping(fixture: RegistryFixture): Promise<Registry> {
  return Registry.open({ redis: fixture.server.target, bundles: fixture.bundles, versionsKept: 3, log: quiet });
}

/** A deploy from its upload to its end. */
async function deployAll(registry: Registry, digest: string, own = config): Promise<void> {
  await registry.settle(await deployLive(registry, own, digest));
}

async function deployMany(fixture: RegistryFixture, registry: Registry, count: number): Promise<void> {
  for (let at = 1; at <= count; at += 1) {
    await deployAll(registry, await addBundle(fixture.bundles, contents(at)));
  }
}

const versionsOf = (registry: Registry): readonly number[] => registry.describe('hello').summary.versions;

test('Registry.deploy removes the oldest versions, but none that an alias names or a rollback would lead to', async () => {
  await using fixture = await RegistryFixture.open();
  await using registry = await keeping(fixture);
  await deployMany(fixture, registry, 2);
  await registry.setAlias('hello', 'old', { weights: [{ version: 1, weight: 1 }] });
  await deployMany(fixture, registry, 6);
  assert.deepEqual(versionsOf(registry), [1, 6, 7, 8]);
  assert.deepEqual(versionsOf(await fixture.reopen()), [1, 6, 7, 8], 'Redis says the same');
  await registry.rollback('hello');
  for (let time = 0; time < 4; time += 1) {
    await registry.settle(await registry.deploy(config, await addBundle(fixture.bundles, contents(1))));
  }
  assert.deepEqual(versionsOf(registry), [1, 6, 7, 10, 11, 12], '7 is live, and 6 was before it');
  assert.equal(registry.resolve('hello').version, 7);
  assert.equal((await registry.rollback('hello')).weights[0]?.version, 6);
});

test('Registry.settle removes no version whose deploy goes on, however many came after it', async () => {
  await using fixture = await RegistryFixture.open();
  await using registry = await keeping(fixture);
  const slow = await registry.deploy(config, await addBundle(fixture.bundles, contents('slow')));
  await deployMany(fixture, registry, 6);
  assert.deepEqual(versionsOf(registry), [1, 5, 6, 7]);
  assert.equal((await registry.promote('hello', slow.version)).weights[0]?.version, 7, 'a later one is live');
  await registry.settle(slow);
  assert.deepEqual(versionsOf(registry), [5, 6, 7]);
});

test('Registry.collect removes the bundles of versions that are gone, and no others', async () => {
  await using fixture = await RegistryFixture.open();
  await using registry = await keeping(fixture);
  await deployMany(fixture, registry, 6);
  const orphan = await addBundle(fixture.bundles, contents('orphan'));
  const kept = await addBundle(fixture.bundles, contents('kept'));
  fixture.bundles.release(orphan);
  const running = digestOf(contents(2));
  await registry.collect((digest) => digest === running);
  const stay = [2, 4, 5, 6].map((at) => digestOf(contents(at)));
  assert.deepEqual((await fixture.bundles.digests()).toSorted(), [...stay, kept].toSorted());
  await registry.collect(unused);
  assert.ok(!(await fixture.bundles.has(running)), 'once nothing runs of it');
});

test('Registry.collect never takes the bundle of a deploy in flight, however they overlap', async () => {
  await using fixture = await RegistryFixture.open();
  await using registry = await keeping(fixture);
  const { bundles } = fixture;
  const over = new AbortController();
  const collecting = (async () => {
    while (!over.signal.aborted) {
      await registry.collect(unused);
      await delay(0);
    }
  })();
  // The same few bundles come, go with their versions, and come again; some uploads end early.
  const deploys = Array.from({ length: 4 }, async (_, worker) => {
    const own = checkFunctionConfig({ name: `hello-${worker}` });
    for (let round = 0; round < 25; round += 1) {
      const content = contents((round * 7 + worker) % 5);
      if (round % 6 === 5) {
        const files = (async function* cut() {
          yield* filesOf({ [BUNDLE_CODE]: content[BUNDLE_CODE] ?? '' });
          throw new Error('the client went away');
        })();
        await assert.rejects(bundles.add(manifestOf({ ...content, more: `${worker}` }), files));
      }
      await deployAll(registry, await addBundle(bundles, content), own);
    }
  });
  await Promise.all(deploys);
  over.abort();
  await collecting;
  await registry.collect(unused);
  const used = new Set<string>();
  for (const { name } of registry.list()) {
    for (const version of registry.describe(name).versions) {
      assert.ok(await bundles.has(version.digest), `${name}@${version.version} has no bundle`);
      used.add(version.digest);
    }
  }
  assert.deepEqual(new Set(await bundles.digests()), used, 'and nothing else is left');
});

test('Registry.collect after a kill at any moment leaves each version its bundle, and no other bundle', async () => {
  await using fixture = await RegistryFixture.open();
  await using registry = await keeping(fixture);
  await deployMany(fixture, registry, 4);
  // What a process leaves that was killed after the upload, and one that was killed after Redis had removed a version.
  await addBundle(fixture.bundles, contents('uploaded'));
  const redis = new Redis(fixture.server.socketPath, { disableClientInfo: true });
  await redis.hdel('hob:versions:hello', '2');
  redis.disconnect();
  const bundles = await DiskBundleStore.open(fixture.bundlesFolder);
  await using again = await Registry.open({ redis: fixture.server.target, bundles, log: quiet });
  await again.collect(unused);
  assert.deepEqual(versionsOf(again), [3, 4]);
  assert.deepEqual((await bundles.digests()).toSorted(), [3, 4].map((at) => digestOf(contents(at))).toSorted());
});

test('Registry.collect removes the bundle of a deploy that failed', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const digest = await addBundle(bundles, contents('failed'));
  await registry.collect(unused);
  assert.ok(await bundles.has(digest), 'the deploy is to come');
  await assert.rejects(registry.deploy({ ...config, name: 'NO' }, digest), { code: 'ERR_CONFIG_INVALID' });
  await registry.collect(unused);
  assert.ok(!(await bundles.has(digest)));
});

test('Registry.collect does nothing while Redis is away, when versions may be there that memory does not know', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const orphan = await addBundle(bundles, contents('orphan'));
  await registry.close();
  bundles.release(orphan);
  await registry.collect(unused);
  assert.ok(await bundles.has(orphan));
  await (await fixture.reopen()).collect(unused);
  assert.ok(!(await bundles.has(orphan)));
});
