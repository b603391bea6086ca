import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type {
  AsyncInvocations,
  BundleManifest,
  DeadLetters,
  FunctionDirectory,
  IdempotencyKeys,
  Invoker,
  LogStore,
  SchedulerControl,
  Schedules,
  SecretDirectory,
} from '@hob/contracts';
import { createGateway, Metrics } from '@hob/gateway';
import { DiskBundleStore } from '@hob/registry';
import { pino } from 'pino';
import { ApiClient } from '../src/api-client.ts';
import { bundleUpload } from '../src/multipart-upload.ts';
import { temporaryFolder } from './fakes/command-run.ts';
import { alias, snapshot, summary, version } from './fakes/samples.ts';

/** A real gateway with a real store of bundles, of a server that runs no function. */
async function gatewayWith(t: TestContext, bundles: DiskBundleStore): Promise<string> {
  const directory: FunctionDirectory = {
    resolve: () => version,
    list: () => [summary],
    describe: () => ({ summary, versions: [version] }),
    deploy: async (config, digest) => ({ ...version, config, digest }),
    settle: async () => undefined,
    promote: async () => alias,
    setAlias: async () => alias,
    removeAlias: async () => undefined,
    rollback: async () => alias,
    inService: () => [version],
    remove: async () => undefined,
  };
  const scheduler: SchedulerControl = {
    learn: async () => assert.fail('nothing is learnt'),
    snapshot: async () => snapshot,
    prove: async () => undefined,
    renew: () => undefined,
    replaced: () => undefined,
    removed: async () => undefined,
  };
  const secrets: SecretDirectory = {
    list: () => [],
    missing: () => [],
    set: async () => assert.fail('no secret is set'),
    rotateKey: async () => assert.fail('no key is rotated'),
    remove: async () => undefined,
    removeAll: async () => undefined,
  };
  const invoker: Invoker = {
    invoke: () => assert.fail('no function is called'),
    cancel: () => false,
  };
  const logs: LogStore = { append: () => undefined, read: async () => [], follow: async function* follow() {} };
  const schedules: Partial<Schedules> = { check: () => undefined, apply: async () => undefined };
  const queue: AsyncInvocations = {
    bodyBytesMax: 0,
    counts: async () => undefined,
    schedules: schedules as Schedules,
    board: { read: async () => undefined },
    keys: {} as IdempotencyKeys,
    deadLetters: {} as DeadLetters,
    submit: () => assert.fail('nothing is queued'),
    read: async () => undefined,
    cancel: async () => false,
  };
  const gateway = await createGateway({
    queue,
    invoker,
    scheduler,
    directory,
    secrets,
    bundles,
    logs,
    logger: pino({ level: 'silent' }),
    tokens: { verify: (token) => token === 'a-token' },
    metrics: new Metrics({ version: '0.0.0' }),
    ready: () => undefined,
    version: '0.0.0',
  });
  t.after(() => gateway.close());
  return gateway.listen({ host: '127.0.0.1', port: 0 });
}

test('bundleUpload() is an upload that the gateway stores byte by byte, whatever the paths are called', async (t) => {
  const folder = await temporaryFolder(t);
  const contents: Record<string, Buffer> = {
    "assets/%22 %5C'{}.txt": Buffer.from('\r\n--hob-'),
    'assets/grüße "1" 日本.txt': Buffer.from('an asset'),
    empty: Buffer.alloc(0),
    'index.mjs': Buffer.alloc(300_000, 'export default 1;\n'),
  };
  const files = Object.entries(contents).map(([path, content]) => {
    return { path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  });
  const manifest: BundleManifest = { files };
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const bundles = await DiskBundleStore.open(join(folder, 'bundles'));
  const url = await gatewayWith(t, bundles);
  const client = new ApiClient({ url, token: 'a-token', signal: new AbortController().signal });
  t.after(() => client.close());
  const upload = bundleUpload({ config: version.config, manifest }, folder);
  const answer = await client.json({ method: 'POST', path: '/v1/functions/hello/versions', ...upload });
  const { digest } = answer as { digest: string };
  for (const [path, content] of Object.entries(contents)) {
    assert.ok((await readFile(join(bundles.folder(digest), path))).equals(content), path);
  }
});

test('bundleUpload() is exactly as long as its content-length says', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'ä"ö'), 'content');
  const manifest: BundleManifest = { files: [{ path: 'ä"ö', bytes: 7, sha256: '0'.repeat(64) }] };
  const { body, headers } = bundleUpload({ config: version.config, manifest }, folder);
  assert.equal(Buffer.byteLength(await text(body)), Number(headers['content-length']));
});
