import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { BUNDLE_CODE, checkFunctionConfig, checkManifest, type LogLine } from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import {
  DiskBundleStore,
  prepareRedis,
  RedisLogStore,
  Registry,
  type SecretKeySource,
  SecretStore,
} from '@hob/registry';
import { pino } from 'pino';
import { TemporaryFolder } from '../support/temporary-folder.ts';

export const quiet = pino({ level: 'silent' });
const key = Buffer.alloc(32, 3);
const keys: SecretKeySource = {
  name: 'a test',
  keys: [key],
  former: undefined,
  next: () => Promise.resolve(key),
  use: () => Promise.resolve(),
  forget: () => Promise.resolve(),
};

/** A registry on a Redis that was prepared as `hob serve` does it. */
export class TestRegistry implements AsyncDisposable {
  readonly registry: Registry;
  readonly bundles: DiskBundleStore;
  readonly #owned: AsyncDisposable;

  private constructor(registry: Registry, bundles: DiskBundleStore, owned: AsyncDisposable) {
    this.registry = registry;
    this.bundles = bundles;
    this.#owned = owned;
  }

  static async open(redis: RedisTarget): Promise<TestRegistry> {
    await using opened = new AsyncDisposableStack();
    const folder = opened.use(await TemporaryFolder.create('registry'));
    await prepareRedis(redis, quiet);
    const bundles = await DiskBundleStore.open(join(folder.path, 'bundles'));
    const registry = opened.use(await Registry.open({ redis, bundles, log: quiet }));
    return new TestRegistry(registry, bundles, opened.move());
  }

  /** Makes a version. @returns its number. */
  async deploy(name: string): Promise<number> {
    const code = Buffer.from('export default () => new Response("1");');
    const sha256 = createHash('sha256').update(code).digest('hex');
    const manifest = checkManifest({ files: [{ path: BUNDLE_CODE, bytes: code.byteLength, sha256 }] });
    const digest = await this.bundles.add(manifest, filesOf(code));
    return (await this.registry.deploy(checkFunctionConfig({ name }), digest)).version;
  }

  /** Makes a version and makes it live. @returns its number. */
  async deployLive(name: string): Promise<number> {
    const version = await this.deploy(name);
    await this.registry.promote(name, version);
    return version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

async function* filesOf(code: Buffer) {
  yield await Promise.resolve({ path: BUNDLE_CODE, content: contentOf(code) });
}

async function* contentOf(code: Buffer) {
  yield await Promise.resolve(code);
}

/** What a registry, its secrets and its logs are for: deploys, aliases, rollbacks, removals, and that it is all there after a restart. */
export async function registryActs(redis: RedisTarget, name = 'acts'): Promise<void> {
  await using it = await TestRegistry.open(redis);
  const { registry, bundles } = it;
  assert.deepEqual([await it.deployLive(name), await it.deployLive(name), await it.deployLive(name)], [1, 2, 3]);
  const shared = [
    { version: 2, weight: 90 },
    { version: 3, weight: 10 },
  ];
  await registry.setAlias(name, 'beta', { weights: shared });
  assert.deepEqual((await registry.rollback(name)).weights, [{ version: 2, weight: 100 }]);
  await registry.settle({ name, version: 3 });

  await using secrets = await SecretStore.open({ redis, keys, log: quiet });
  await secrets.set(name, 'API_KEY', 'sesame');
  await using logs = new RedisLogStore({ redis, log: quiet });
  const line: LogLine = { timeMs: 1, function: name, version: 2, invocationId: 'x', channel: 'stdout', line: 'hello' };
  logs.append(line);
  logs.append({ ...line, line: 'again', channel: 'stderr' });
  assert.deepEqual(
    (await logs.read(name, { tail: 10 })).map(({ line: text }) => text),
    ['hello', 'again'],
  );

  await using again = await Registry.open({ redis, bundles, log: quiet });
  assert.deepEqual(again.describe(name).summary.versions, [1, 2, 3]);
  assert.equal(again.resolve(name).version, 2);
  await using secretsAgain = await SecretStore.open({ redis, keys, log: quiet });
  const config = checkFunctionConfig({ name, secrets: ['API_KEY'] });
  assert.deepEqual(secretsAgain.env({ ...again.resolve(name), config }), { API_KEY: 'sesame' });
  await secretsAgain.remove(name, 'API_KEY');
  await registry.removeAlias(name, 'beta');
  await registry.remove(name);
  assert.deepEqual(await logs.read(name, { tail: 10 }), []);
  assert.equal(await it.deployLive(name), 4);
  await registry.remove(name);
}
