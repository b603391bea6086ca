import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { bundleDigest, checkManifest, type ErrorCode, fail, type FunctionVersion } from '@hob/contracts';
import { configOf } from './fakes/fake-services.ts';
import { RawClient } from './fakes/raw-client.ts';
import { startGateway, type TestGateway, TOKEN, until } from './fakes/test-gateway.ts';

const authorization = `Bearer ${TOKEN}`;

interface Upload {
  readonly name?: string;
  readonly config?: unknown;
  readonly manifest?: unknown;
  readonly files?: Record<string, string>;
}

const code = { 'index.mjs': 'export default () => new Response()', 'assets/ä ö/x.bin': '\0\u00ff' };

function manifestOf(files: Record<string, string>) {
  return {
    files: Object.entries(files).map(([path, content]) => {
      const bytes = Buffer.from(content);
      return { path, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
    }),
  };
}

async function send(hob: TestGateway, name: string, form: FormData) {
  const url = `${hob.url}/v1/functions/${name}/versions`;
  const response = await fetch(url, { method: 'POST', body: form, headers: { authorization } });
  return { status: response.status, body: (await response.json()) as FunctionVersion & { code: ErrorCode } };
}

function deploy(hob: TestGateway, upload: Upload = {}) {
  const files = upload.files ?? code;
  const form = new FormData();
  const config = upload.config ?? configOf('fresh');
  form.set('deploy', JSON.stringify({ config, manifest: upload.manifest ?? manifestOf(files) }));
  for (const [path, content] of Object.entries(files)) form.append('file', new Blob([content]), path);
  return send(hob, upload.name ?? 'fresh', form);
}

test('POST versions stores the files, makes a version and tells the scheduler', async () => {
  await using hob = await startGateway();
  const { status, body } = await deploy(hob);
  assert.equal(status, 201);
  assert.equal(body.name, 'fresh');
  assert.equal(body.version, 1);
  assert.equal(body.digest, bundleDigest(checkManifest(manifestOf(code))));
  assert.deepEqual(hob.directory.resolve('fresh'), body);
  for (const [path, content] of Object.entries(code)) assert.equal(hob.bundles.files.get(path)?.toString(), content);
  assert.deepEqual(hob.control.replacedVersions, [body]);
  assert.equal((await deploy(hob)).body.version, 2);
});

test('POST versions sets the schedules of the function, and makes no version of one whose schedules cannot hold', async () => {
  await using hob = await startGateway();
  const scheduled = (cron: string) => configOf('fresh', { schedule: [{ name: 'a', cron }] });
  assert.equal((await deploy(hob, { config: scheduled('never') })).body.code, 'ERR_CONFIG_INVALID');
  assert.throws(() => hob.directory.resolve('fresh'));
  assert.equal((await deploy(hob, { config: scheduled('* * * * *') })).status, 201);
  assert.deepEqual(hob.queue.scheduled, ['fresh@1']);
});

test('POST versions fills in the defaults of a configuration', async () => {
  await using hob = await startGateway();
  assert.equal((await deploy(hob, { config: { name: 'fresh' } })).status, 201);
  assert.deepEqual(hob.directory.resolve('fresh').config, configOf('fresh'));
});

test('POST versions accepts large files, and files that the store does not read', async () => {
  await using hob = await startGateway({ bodyBytesMax: 1000 });
  const files = { 'index.mjs': 'x'.repeat(3_000_000), 'a.txt': 'y'.repeat(300_000), 'b.txt': '' };
  assert.equal((await deploy(hob, { files })).status, 201);
  assert.equal(hob.bundles.files.get('index.mjs')?.byteLength, 3_000_000);
  hob.bundles.skipContent = true;
  assert.equal((await deploy(hob, { files })).status, 201);
});

test('POST versions refuses what does not fit together, and changes nothing', async () => {
  await using hob = await startGateway();
  const other = manifestOf({ ...code, 'more.txt': 'x' });
  const upwards = manifestOf({ ...code, '../up': 'x' });
  const cases: [Upload, ErrorCode][] = [
    [{ config: configOf('another') }, 'ERR_CONFIG_INVALID'],
    [{ config: { name: 'fresh', memoryMb: 1 } }, 'ERR_CONFIG_INVALID'],
    [{ config: { name: 'fresh', unknown: 1 } }, 'ERR_CONFIG_INVALID'],
    [{ config: 'text' }, 'ERR_CONFIG_INVALID'],
    [{ manifest: {} }, 'ERR_BUNDLE_INVALID'],
    [{ manifest: other }, 'ERR_BUNDLE_INVALID'],
    [{ manifest: upwards }, 'ERR_BUNDLE_INVALID'],
    [{ manifest: manifestOf({ ...code, 'index.mjs': 'changed' }) }, 'ERR_BUNDLE_INVALID'],
  ];
  for (const [upload, expected] of cases) {
    const { status, body } = await deploy(hob, upload);
    assert.equal(status, 400, expected);
    assert.equal(body.code, expected);
  }
  assert.throws(() => hob.directory.resolve('fresh'), { code: 'ERR_FN_NOT_FOUND' });
  assert.equal(hob.control.replacedVersions.length, 0);
});

test('POST versions refuses bodies that are no upload', async () => {
  await using hob = await startGateway();
  const url = `${hob.url}/v1/functions/fresh/versions`;
  for (const [type, body] of [
    ['application/json', '{}'],
    ['text/plain', 'x'],
    ['multipart/form-data', 'x'],
    ['multipart/form-data; boundary=b', 'x'],
    ['multipart/form-data; boundary=b', ''],
    ['multipart/form-data; boundary=b', '--b\r\ncontent-disposition: form-data; name="deploy"\r\n\r\n{}'],
  ] as const) {
    const headers = { authorization, 'content-type': type };
    const response = await fetch(url, { method: 'POST', headers, body });
    assert.equal(response.status, 400, `${type} ${body}`);
    assert.equal(((await response.json()) as { code: string }).code, 'ERR_API_BAD_REQUEST');
  }
  const valid = JSON.stringify({ config: configOf('fresh'), manifest: manifestOf(code) });
  const forms: [string, [string, string | Blob][]][] = [
    ['a file comes first', [['deploy', new Blob([valid])]]],
    ['another field comes first', [['other', valid]]],
    ['deploy is no JSON', [['deploy', '{']]],
    ['deploy is no object', [['deploy', '7']]],
    [
      'a second field',
      [
        ['deploy', valid],
        ['more', 'x'],
      ],
    ],
  ];
  for (const [what, fields] of forms) {
    const form = new FormData();
    for (const [name, value] of fields) {
      if (typeof value === 'string') form.append(name, value);
      else form.append(name, value, 'deploy');
    }
    const { status } = await send(hob, 'fresh', form);
    assert.equal(status, 400, what);
  }
});

test('POST versions answers a store that fails in the middle, and serves on', async () => {
  await using hob = await startGateway();
  const add = hob.bundles.add.bind(hob.bundles);
  hob.bundles.add = async (_manifest, files) => {
    for await (const file of files) {
      for await (const chunk of file.content) throw fail('ERR_BUNDLE_TOO_LARGE', [chunk.byteLength]);
    }
    throw fail('ERR_INTERNAL', []);
  };
  const files = { 'index.mjs': 'x'.repeat(2_000_000), 'b.txt': 'y'.repeat(2_000_000) };
  const { status, body } = await deploy(hob, { files });
  assert.equal(status, 413);
  assert.equal(body.code, 'ERR_BUNDLE_TOO_LARGE');
  hob.bundles.add = add;
  assert.equal((await deploy(hob, { files })).status, 201);
});

test('POST versions makes nothing of an upload whose client has gone', async () => {
  await using hob = await startGateway();
  let failed: unknown;
  const add = hob.bundles.add.bind(hob.bundles);
  hob.bundles.add = (manifest, files) =>
    add(manifest, files).catch((error: unknown) => {
      failed = error;
      throw error;
    });
  const deployField = JSON.stringify({ config: configOf('fresh'), manifest: manifestOf(code) });
  const part = (disposition: string) => `--b\r\ncontent-disposition: form-data; ${disposition}\r\n`;
  const client = await RawClient.open(hob.port);
  client.send(
    `POST /v1/functions/fresh/versions HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n` +
      'content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n' +
      `${part('name="deploy"')}\r\n${deployField}\r\n` +
      `${part('name="f"; filename="index.mjs"')}content-type: application/octet-stream\r\n\r\nexport`,
  );
  await until(() => hob.logged.some((line) => line['msg'] === 'starting multipart parsing'), 'the upload has begun');
  client.socket.destroy();
  await until(() => failed !== undefined, 'the store was told');
  assert.throws(() => hob.directory.resolve('fresh'), { code: 'ERR_FN_NOT_FOUND' });
});
