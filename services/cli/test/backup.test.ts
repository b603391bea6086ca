import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { BUNDLE_CODE, checkFunctionConfig, checkManifest, type FunctionVersion } from '@hob/contracts';
import { DiskBundleStore, type IncomingFile, prepareRedis, RedisServer, Registry, SecretStore } from '@hob/registry';
import { pino } from 'pino';
import { takeDataFolder } from '../src/serve/data-folder.ts';
import { bundlesFolder } from '../src/serve/launcher-options.ts';
import { SecretKeyFiles } from '../src/serve/secret-key-files.ts';
import { hob, type Outcome, temporaryFolder } from './fakes/command-run.ts';

const log = pino({ level: 'silent' });
const code = 'export default () => new Response("kept");';

/** What a data folder holds, with everything real that reads and writes it but containers. */
async function opened<T>(dataDir: string, use: (parts: Parts) => Promise<T>): Promise<T> {
  await using server = await RedisServer.start({ folder: join(dataDir, 'redis'), log });
  const redis = server.target;
  await prepareRedis(redis, log);
  const bundles = await DiskBundleStore.open(bundlesFolder(dataDir));
  await using registry = await Registry.open({ redis, bundles, log });
  await using secrets = await SecretStore.open({ redis, keys: await SecretKeyFiles.open(dataDir), log });
  return await use({ bundles, registry, secrets });
}

interface Parts {
  readonly bundles: DiskBundleStore;
  readonly registry: Registry;
  readonly secrets: SecretStore;
}

/** A data folder with a function, its bundle and a secret. */
async function filled(t: TestContext): Promise<{ readonly dataDir: string; readonly version: FunctionVersion }> {
  const dataDir = join(await temporaryFolder(t), 'data');
  mkdirSync(join(dataDir, 'cache'), { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, 'cache', 'compiled'), 'can be made again');
  const version = await opened(dataDir, async ({ bundles, registry, secrets }) => {
    const digest = await bundles.add(manifest, files());
    const config = checkFunctionConfig({ name: 'hello', secrets: ['API_KEY'] });
    const deployed = await registry.deploy(config, digest);
    await registry.promote('hello', deployed.version);
    await secrets.set('hello', 'API_KEY', 'a secret');
    return deployed;
  });
  return { dataDir, version };
}

/** The one file of the function's bundle. */
const manifest = checkManifest({
  files: [{ path: BUNDLE_CODE, bytes: code.length, sha256: createHash('sha256').update(code).digest('hex') }],
});

async function* files(): AsyncGenerator<IncomingFile> {
  yield await Promise.resolve({ path: BUNDLE_CODE, content: Readable.from([Buffer.from(code)]) });
}

function run(command: 'backup' | 'restore', file: string, dataDir: string): Promise<Outcome> {
  return hob([command, file], { env: { HOB_DATA_DIR: dataDir } });
}

function refused({ code: exitCode, stdout, stderr }: Outcome, error: string, message: RegExp): void {
  assert.equal(exitCode, 1);
  assert.equal(stdout, '');
  assert.ok(stderr.includes(`(${error})`), stderr);
  assert.match(stderr, message);
}

test('what hob backup wrote and hob restore read has every function, bundle and secret', async (t) => {
  const { dataDir, version } = await filled(t);
  const folder = await temporaryFolder(t);
  const file = join(folder, 'hob.tar.gz');
  const made = await hob(['backup', file, '--json'], { env: { HOB_DATA_DIR: dataDir } });
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(JSON.parse(made.stdout), { file, bytes: statSync(file).size, dataDir });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['hob.tar.gz']);
  const restored = join(folder, 'deep', 'data');
  const outcome = await run('restore', file, restored);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.deepEqual(readdirSync(restored).toSorted(), ['bundles', 'lock', 'redis', 'secret.key']);
  assert.equal(statSync(restored).mode & 0o777, 0o700);
  for (const name of ['bundles', 'redis', 'secret.key']) {
    const [before, after] = [statSync(join(dataDir, name)), statSync(join(restored, name))];
    assert.deepEqual([after.mode, after.uid], [before.mode, process.getuid?.()]);
  }
  await opened(restored, async ({ bundles, registry, secrets }) => {
    assert.deepEqual(registry.resolve('hello'), version);
    assert.deepEqual(secrets.env(version), { API_KEY: 'a secret' });
    assert.deepEqual(await bundles.manifest(version.digest), manifest);
    assert.equal(readFileSync(join(bundles.folder(version.digest), BUNDLE_CODE), 'utf8'), code);
  });
});

test('hob backup and hob restore refuse a data folder that is served from, and name the process', async (t) => {
  const { dataDir } = await filled(t);
  const file = join(await temporaryFolder(t), 'hob.tar.gz');
  using _ = await takeDataFolder(dataDir);
  refused(await run('backup', file, dataDir), 'ERR_SERVE_LOCKED', new RegExp(`process ${process.pid} already serves`));
  assert.equal(existsSync(file), false);
  writeFileSync(file, '');
  refused(await run('restore', file, dataDir), 'ERR_SERVE_LOCKED', new RegExp(`process ${process.pid} already serves`));
});

test('hob backup writes over no file, and makes none of a folder without data', async (t) => {
  const { dataDir } = await filled(t);
  const folder = await temporaryFolder(t);
  const file = join(folder, 'hob.tar.gz');
  writeFileSync(file, 'the backup of yesterday');
  refused(await run('backup', file, dataDir), 'ERR_BACKUP_FAILED', /hob\.tar\.gz exists already/);
  assert.equal(readFileSync(file, 'utf8'), 'the backup of yesterday');
  const nothing = join(folder, 'nothing');
  refused(await run('backup', join(folder, 'new'), nothing), 'ERR_BACKUP_FAILED', /has no data of hob/);
  assert.deepEqual(readdirSync(folder), ['hob.tar.gz']);
});

test('hob backup refuses a data folder with a part that is elsewhere, which would be missing', async (t) => {
  const { dataDir } = await filled(t);
  const folder = await temporaryFolder(t);
  symlinkSync(folder, join(dataDir, 'other'));
  refused(await run('backup', join(folder, 'new'), dataDir), 'ERR_BACKUP_FAILED', /other is a link/);
  assert.deepEqual(readdirSync(folder), []);
});

test('hob restore leaves a data folder with data as it is', async (t) => {
  const { dataDir, version } = await filled(t);
  const file = join(await temporaryFolder(t), 'hob.tar.gz');
  assert.equal((await run('backup', file, dataDir)).code, 0);
  refused(await run('restore', file, dataDir), 'ERR_RESTORE_NOT_EMPTY', /has data already/);
  await opened(dataDir, async ({ registry }) => assert.deepEqual(registry.resolve('hello'), version));
});

test('hob restore refuses a file that is cut off, changed or no backup, after which a whole one can be restored', async (t) => {
  const { dataDir, version } = await filled(t);
  const folder = await temporaryFolder(t);
  const file = join(folder, 'hob.tar.gz');
  assert.equal((await run('backup', file, dataDir)).code, 0);
  const whole = readFileSync(file);
  const changed = Buffer.from(whole);
  changed.writeUInt8(changed.readUInt8(whole.length - 6) ^ 1, whole.length - 6); // Of the checksum.
  const bad = join(folder, 'bad');
  const target = join(folder, 'data');
  const cuts = [0, 5, whole.length >> 1, whole.length - 1].map((length) => whole.subarray(0, length));
  for (const bytes of [...cuts, changed, Buffer.from('something else')]) {
    writeFileSync(bad, bytes);
    refused(await run('restore', bad, target), 'ERR_RESTORE_FAILED', /bad cannot be restored: /);
    assert.deepEqual(readdirSync(target), ['lock']);
  }
  execFileSync('tar', ['-czf', bad, '-C', dataDir, 'secret.key']);
  refused(await run('restore', bad, target), 'ERR_RESTORE_FAILED', /it has no bundles/);
  assert.deepEqual(readdirSync(target), ['lock']);
  assert.equal((await run('restore', file, target)).code, 0);
  await opened(target, async ({ registry }) => assert.deepEqual(registry.resolve('hello'), version));
});

test('a backup that was made before a rotation has the key that it needs', async (t) => {
  const { dataDir, version } = await filled(t);
  const folder = await temporaryFolder(t);
  const [file, restored] = [join(folder, 'hob.tar.gz'), join(folder, 'restored')];
  assert.equal((await run('backup', file, dataDir)).code, 0);
  await opened(dataDir, async ({ secrets }) => void (await secrets.rotateKey()));
  assert.equal((await run('restore', file, restored)).code, 0);
  for (const each of [restored, dataDir]) {
    await opened(each, async ({ secrets }) => assert.deepEqual(secrets.env(version), { API_KEY: 'a secret' }));
  }
  assert.notDeepEqual(readFileSync(join(restored, 'secret.key')), readFileSync(join(dataDir, 'secret.key')));
});

test('hob restore says that there is no such file, and makes no data folder', async (t) => {
  const folder = await temporaryFolder(t);
  const { code: exitCode, stderr } = await run('restore', join(folder, 'none'), join(folder, 'data'));
  assert.equal(exitCode, 1);
  assert.match(stderr, /ENOENT/);
  assert.deepEqual(readdirSync(folder), []);
});

test('hob backup says what is not in it: what a Redis of the operator has, and a key that was given', async (t) => {
  const { dataDir } = await filled(t);
  const file = join(await temporaryFolder(t), 'hob.tar.gz');
  const env = {
    HOB_DATA_DIR: dataDir,
    HOB_REDIS_URL: 'redis+sentinel://:sesame@127.0.0.1:1/m',
    HOB_SECRET_KEY: '0'.repeat(64),
  };
  const { code: exitCode, stderr } = await hob(['backup', file], { env });
  assert.equal(exitCode, 0);
  assert.match(stderr, /in that Redis, and not in this file; back up its keys hob:\* too/);
  assert.doesNotMatch(stderr, /sesame/);
  const onCluster = { ...env, HOB_REDIS_URL: 'redis+cluster://:sesame@127.0.0.1:1', HOB_REDIS_PREFIX: 'blue' };
  const { stdout } = await hob(['backup', `${file}.2`, '--json'], { env: onCluster });
  const { notInFile } = JSON.parse(stdout) as { notInFile: object };
  assert.deepEqual(notInFile, { url: 'redis+cluster://127.0.0.1:1', keys: '{blue}:*' });
  assert.match(stderr, /key of the secrets, [0-9a-f]{12}, is not in this file/);
});
