import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type BundleManifest, bundleDigest, type FunctionConfig } from '@hob/contracts';
import { hob, temporaryFolder } from './fakes/command-run.ts';
import { ControlServer, json, sendProblem } from './fakes/control-server.ts';
import { version } from './fakes/samples.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Upload {
  readonly config: FunctionConfig;
  readonly manifest: BundleManifest;
  readonly files: Map<string, Buffer>;
}

/** Reads an upload as any HTTP server would. */
async function readUpload(request: IncomingMessage, body: string): Promise<Upload> {
  const headers = { 'content-type': request.headers['content-type'] ?? '' };
  const form = await new Response(body, { headers }).formData();
  const entries = [...form.entries()];
  const [first, ...rest] = entries;
  assert.equal(first?.[0], 'deploy', 'comes first');
  assert.ok(typeof first[1] === 'string');
  const { config, manifest } = JSON.parse(first[1]) as Omit<Upload, 'files'>;
  const files = new Map<string, Buffer>();
  for (const [, file] of rest) {
    assert.ok(file instanceof File);
    files.set(file.name, Buffer.from(await file.arrayBuffer()));
  }
  return { config, manifest, files };
}

async function functionFolder(t: TestContext, name = 'hello'): Promise<string> {
  const folder = join(await temporaryFolder(t), name);
  await mkdir(join(folder, 'assets'), { recursive: true });
  await writeFile(join(folder, 'hob.json'), `{ "name": "${name}", "assets": ["assets"] } // with a comment`);
  await writeFile(join(folder, 'index.ts'), 'export default { fetch: (): Response => new Response("hi") };');
  await writeFile(join(folder, 'assets', 'grüße.txt'), 'an asset');
  return folder;
}

test('hob deploy bundles a folder, uploads what its manifest says, and prints name@version, digest, size, URL', async (t) => {
  const folder = await functionFolder(t);
  let upload: Upload | undefined;
  await using server = await ControlServer.start({
    'POST /v1/functions/hello/versions': async (request, response: ServerResponse, body) => {
      upload = await readUpload(request, body);
      await json({ ...version, digest: bundleDigest(upload.manifest) }, 201)(request, response, body);
    },
  });
  const { code, stdout, stderr } = await hob(['deploy', folder], { env: { HOB_URL: server.url } });
  assert.equal(code, 0, stderr);
  assert.ok(upload);
  assert.equal(upload.config.name, 'hello');
  assert.equal(upload.config.memoryMb, 256, 'defaults are filled in');
  assert.deepEqual([...upload.files.keys()].sort(), upload.manifest.files.map(({ path }) => path).sort());
  for (const { path, bytes, sha256 } of upload.manifest.files) {
    const content: Buffer = upload.files.get(path) ?? Buffer.alloc(0);
    assert.equal(content.length, bytes, path);
    assert.equal(createHash('sha256').update(content).digest('hex'), sha256, path);
  }
  assert.ok(upload.files.has('assets/grüße.txt'));
  const digest = bundleDigest(upload.manifest).slice(0, 12);
  assert.equal(stdout, `hello@3  ${digest}  2.0 KB  ${server.url}/fn/hello\n`);
});

test('hob deploy leaves no temporary file, also when the server refuses', async (t) => {
  const folder = await functionFolder(t, 'refused');
  const temporary = await temporaryFolder(t);
  await using server = await ControlServer.start({
    'POST /v1/functions/refused/versions': (_request, response) => {
      sendProblem(response, 'ERR_AUTH_REQUIRED', 'send a token');
    },
  });
  // A process of its own, because the folder for temporary files belongs to a process.
  const child = spawn(process.execPath, ['--conditions=@hob/source', main, 'deploy', folder], {
    env: { HOB_URL: server.url, HOME: '/nonexistent', PATH: '/usr/bin:/bin', TMPDIR: temporary },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 1);
  assert.match(stderr, /\(ERR_AUTH_REQUIRED\)\nhint: set HOB_TOKEN/);
  assert.equal(server.seen.length, 1, 'the bundle was made');
  assert.deepEqual(await readdir(temporary), []);
});

test('hob deploy --json prints an array with what the server made, the URL and the warnings', async (t) => {
  const folders = [await functionFolder(t), await functionFolder(t, 'second')];
  await using server = await ControlServer.start({
    'POST /v1/functions/hello/versions': json(version, 201),
    'POST /v1/functions/second/versions': json({ ...version, name: 'second' }, 201),
  });
  const { code, stdout, stderr } = await hob(['deploy', ...folders, '--json'], { env: { HOB_URL: server.url } });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), [
    { ...version, url: `${server.url}/fn/hello`, warnings: [] },
    { ...version, name: 'second', url: `${server.url}/fn/second`, warnings: [] },
  ]);
});

test('hob deploy tells what is wrong with a folder before it uploads anything', async (t) => {
  const folder = await temporaryFolder(t);
  await using server = await ControlServer.start({});
  const deploy = async (): Promise<string> => {
    const { code, stderr } = await hob(['deploy', folder], { env: { HOB_URL: server.url } });
    assert.equal(code, 1);
    return stderr;
  };
  assert.match(await deploy(), /\(ERR_CONFIG_NOT_FOUND\)\nhint: .*hob init/);
  await writeFile(join(folder, 'hob.json'), '{ "name": }');
  assert.match(await deploy(), /hob\.json:1:11: .*\(ERR_CONFIG_SYNTAX\)/);
  await writeFile(join(folder, 'hob.json'), '{ "name": "x", "memoryMb": 1 }');
  assert.match(await deploy(), /memoryMb.*128 to 8192.*\(ERR_CONFIG_INVALID\)/);
  await writeFile(join(folder, 'hob.json'), '{ "name": "x" }');
  assert.match(await deploy(), /\(ERR_BUILD_ENTRY_NOT_FOUND\)/);
  await writeFile(join(folder, 'index.ts'), 'export default (');
  assert.match(await deploy(), /index\.ts[^]*\(ERR_BUILD_FAILED\)/);
  assert.equal(server.seen.length, 0);
});
