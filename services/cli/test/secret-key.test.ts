import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkFunctionConfig, type FunctionVersion } from '@hob/contracts';
import { RedisServer, SecretStore } from '@hob/registry';
import { pino } from 'pino';
import { SecretKeyFiles } from '../src/serve/secret-key-files.ts';
import { openSecretKeys } from '../src/serve/secret-key.ts';
import { temporaryFolder } from './fakes/command-run.ts';
import { type FaultKind, FaultyFiles } from './fakes/faulty-files.ts';

const log = pino({ level: 'silent' });
/** It opens `secret.key`, and looks for the two others. */
const STEPS_OF_START = 3;

function versionOf(...secrets: string[]): FunctionVersion {
  const config = checkFunctionConfig({ name: 'hello', secrets });
  return { name: 'hello', version: 1, digest: '', config, bundleBytes: 0, hasAssets: false, createdAt: '' };
}

test('SecretKeyFiles makes the key once, in a file that only its owner can read', async (t) => {
  const folder = await temporaryFolder(t);
  const files = await SecretKeyFiles.open(folder);
  assert.deepEqual(files.keys, []);
  const key = await files.next();
  assert.equal(key.byteLength, 32);
  assert.deepEqual(await files.next(), key);
  await files.use(key);
  assert.deepEqual(await readdir(folder), ['secret.key']);
  assert.equal((await stat(join(folder, 'secret.key'))).mode & 0o777, 0o600);
  assert.deepEqual((await SecretKeyFiles.open(folder)).keys, [key]);
});

test('openSecretKeys() takes HOB_SECRET_KEY and HOB_SECRET_KEY_PREVIOUS in each form, and makes no file then', async (t) => {
  const folder = await temporaryFolder(t);
  const [key, former] = [randomBytes(32), randomBytes(32)];
  for (const form of ['hex', 'base64', 'base64url'] as const) {
    const env = { HOB_SECRET_KEY: key.toString(form), HOB_SECRET_KEY_PREVIOUS: former.toString(form) };
    const keys = await openSecretKeys(folder, env);
    assert.deepEqual([keys.keys, keys.former], [[key], former]);
    await assert.rejects(keys.next(), { code: 'ERR_SECRET_KEY_GIVEN' });
  }
  assert.deepEqual(await readdir(folder), []);
});

test('openSecretKeys() refuses what is no key, without repeating it', async (t) => {
  const folder = await temporaryFolder(t);
  for (const bad of [
    'sesame-sesame',
    randomBytes(31).toString('hex'),
    randomBytes(33).toString('base64'),
    '!'.repeat(44),
  ]) {
    for (const name of ['HOB_SECRET_KEY', 'HOB_SECRET_KEY_PREVIOUS']) {
      await assert.rejects(
        openSecretKeys(folder, { [name]: bad }),
        (error: { code?: string; message: string }) =>
          error.code === 'ERR_CONFIG_INVALID' && error.message.includes(name) && !error.message.includes(bad),
      );
    }
  }
  for (const name of ['secret.key', 'secret.key.next', 'secret.key.previous']) {
    const other = await temporaryFolder(t);
    await writeFile(join(other, name), 'damaged\n');
    await assert.rejects(openSecretKeys(other, {}), { code: 'ERR_CONFIG_INVALID' });
  }
  const other = await temporaryFolder(t);
  await symlink('/etc/hostname', join(other, 'secret.key'));
  await assert.rejects(openSecretKeys(other, {}), { code: 'ELOOP' });
});

test('a key is kept beside the one that replaces it until the next start, which takes whichever Redis needs', async (t) => {
  const folder = await temporaryFolder(t);
  const files = await SecretKeyFiles.open(folder);
  const first = await files.next();
  await files.use(first);
  const second = await files.next();
  await files.use(second);
  assert.deepEqual((await readdir(folder)).toSorted(), ['secret.key', 'secret.key.previous']);
  // A Redis that was not durable has lost the rotation.
  const started = await SecretKeyFiles.open(folder);
  assert.deepEqual(started.keys, [second, first]);
  await started.use(first);
  await started.forget();
  assert.deepEqual((await SecretKeyFiles.open(folder)).keys, [first, second]);
  assert.deepEqual(await started.next(), second);
  await started.use(second);
  await started.forget();
  assert.deepEqual((await SecretKeyFiles.open(folder)).keys, [second]);
});

for (const kind of ['before', 'after'] satisfies FaultKind[]) {
  test(`whichever step of a rotation fails (${kind} it is done), all secrets can be read, then and after the next start`, async (t) => {
    const folder = await temporaryFolder(t);
    await using server = await RedisServer.start({ folder: join(folder, 'redis'), log });
    const redis = server.target;
    const start = async (files: FaultyFiles | undefined): Promise<SecretStore> =>
      SecretStore.open({ redis, keys: await SecretKeyFiles.open(folder, undefined, files), log });
    const expected: Record<string, string> = { FIRST: 'first' };
    {
      await using store = await start(undefined);
      await store.set('hello', 'FIRST', 'first');
    }
    let failed = 0;
    for (let failAt = 1; ; failAt++) {
      let faulty: FaultyFiles | undefined;
      {
        // The start before has left no step to this one but to read.
        faulty = new FaultyFiles(failAt + STEPS_OF_START, kind);
        await using store = await start(faulty);
        const result = await store.rotateKey().catch((error: unknown) => error);
        if (!(result instanceof Error)) break;
        failed += 1;
        assert.match(result.message, /^EIO/);
        assert.deepEqual(store.env(versionOf(...Object.keys(expected))), expected, `${result.message}, going on`);
        await store.set('hello', `AFTER_${failAt}`, `${failAt}`);
        expected[`AFTER_${failAt}`] = `${failAt}`;
        // The end of this block is the end of the process.
      }
      await using started = await start(undefined);
      assert.deepEqual(
        started.env(versionOf(...Object.keys(expected))),
        expected,
        `step ${failAt}: ${faulty.steps.join()}`,
      );
      await started.rotateKey();
      await using again = await start(undefined);
      assert.deepEqual(again.env(versionOf(...Object.keys(expected))), expected);
      assert.deepEqual((await readdir(folder)).toSorted(), ['redis', 'secret.key']);
    }
    assert.ok(failed >= 20, `${failed} steps`);
  });
}

test('after a rotation the file has another key, and the former one opens nothing', async (t) => {
  const folder = await temporaryFolder(t);
  await using server = await RedisServer.start({ folder: join(folder, 'redis'), log });
  const open = async (): Promise<SecretStore> =>
    SecretStore.open({ redis: server.target, keys: await SecretKeyFiles.open(folder), log });
  await using store = await open();
  await store.set('hello', 'A', 'a');
  const former = await readFile(join(folder, 'secret.key'), 'utf8');
  await store.rotateKey();
  assert.notEqual(await readFile(join(folder, 'secret.key'), 'utf8'), former);
  await (await open()).close();
  await writeFile(join(folder, 'secret.key'), former);
  await assert.rejects(open(), { code: 'ERR_SERVE_SECRET_KEY' });
});

test('what a given key has encrypted is encrypted with the key of the file, when there is none given any more', async (t) => {
  const folder = await temporaryFolder(t);
  await using server = await RedisServer.start({ folder: join(folder, 'redis'), log });
  const open = async (env: Record<string, string>): Promise<SecretStore> =>
    SecretStore.open({ redis: server.target, keys: await openSecretKeys(folder, env), log });
  const [given, other] = [randomBytes(32).toString('hex'), randomBytes(32).toString('base64')];
  {
    await using store = await open({ HOB_SECRET_KEY: given });
    await store.set('hello', 'A', 'a');
    await assert.rejects(store.rotateKey(), { code: 'ERR_SECRET_KEY_GIVEN' });
  }
  await assert.rejects(open({}), { code: 'ERR_SERVE_SECRET_KEY', message: /and there is no .*secret\.key$/ });
  assert.deepEqual(await readdir(folder), ['redis'], 'no key was made that opens nothing');
  for (const env of [
    { HOB_SECRET_KEY: other, HOB_SECRET_KEY_PREVIOUS: given },
    { HOB_SECRET_KEY: other },
    { HOB_SECRET_KEY_PREVIOUS: other },
    {},
  ]) {
    await using store = await open(env);
    assert.deepEqual(store.env(versionOf('A')), { A: 'a' });
  }
  assert.deepEqual(await readdir(folder), ['redis', 'secret.key']);
});
