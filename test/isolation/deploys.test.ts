/** Hostile uploads, and folders that a deploy must not follow: each is refused with its code, and nothing of it stays. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BUNDLE_FILES_MAX, catalogue } from '@hob/contracts';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const CODE = "export default () => new Response('deployed');";
/** In no bundle that was stored: of one that is there already the content is not read again. */
const NEW_CODE = `${CODE} // new`;
const ESCAPE = `hob-escape-${process.pid}`;

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create();
  folder = await TemporaryFolder.create('deploys');
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

interface ManifestEntry {
  readonly path: unknown;
  readonly bytes: unknown;
  readonly sha256: unknown;
}

function entry(path: string, content = CODE): ManifestEntry {
  const bytes = Buffer.from(content);
  return { path, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

interface Upload {
  /** Text of the field `deploy`; when not given it is made of config and files. */
  readonly deploy?: string;
  readonly config?: unknown;
  readonly files?: readonly ManifestEntry[];
  /** File name and content of each part. */
  readonly parts?: readonly (readonly [filename: string, content: string | Buffer])[];
}

const config = { name: 'hostile' };
const deployField = (upload: Upload): string =>
  upload.deploy ??
  JSON.stringify({ config: upload.config ?? config, manifest: { files: upload.files ?? [entry('index.mjs')] } });

/** A body of multipart/form-data, with file names as they are given: nothing is escaped. */
function multipart(upload: Upload): Buffer {
  const parts = upload.parts ?? [['index.mjs', CODE]];
  return Buffer.concat([
    Buffer.from(`--b\r\ncontent-disposition: form-data; name="deploy"\r\n\r\n${deployField(upload)}\r\n`),
    ...parts.flatMap(([filename, content]) => [
      Buffer.from(`--b\r\ncontent-disposition: form-data; name="file"; filename="${filename}"\r\n\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]),
    Buffer.from('--b--\r\n'),
  ]);
}

const requestHead = (name: string, length: number, more = ''): string =>
  `POST /v1/functions/${name}/versions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${hob.token}\r\n` +
  `content-type: multipart/form-data; boundary=b\r\ncontent-length: ${length}\r\n${more}\r\n`;

/** Sends an upload and gives its status and code. */
async function send(upload: Upload, options: { name?: string; more?: string } = {}): Promise<string> {
  using connection = await RawConnection.open(hob.url);
  const body = multipart(upload);
  connection.send(
    requestHead(options.name ?? 'hostile', body.byteLength, `connection: close\r\n${options.more ?? ''}`),
  );
  connection.send(body);
  const status = await connection.status();
  const code = /"code":"([A-Z_]+)"/.exec(await connection.all())?.[1] ?? '';
  return `${status} ${code}`.trim();
}

/** Nothing was deployed, nothing half done is left, and an ordinary deploy works. */
async function assertUnharmed(): Promise<void> {
  const functions = (await hob.control('functions')) as { name: string }[];
  assert.ok(!functions.some(({ name }) => name === 'hostile'), 'a hostile upload became a function');
  assert.ok(!existsSync(join('/tmp', ESCAPE)) && !existsSync(join(hob.dataDir, ESCAPE)), 'a file escaped');
  const bundles = readdirSync(join(hob.dataDir, 'bundles'));
  assert.deepEqual(
    bundles.filter((name) => !/^[0-9a-f]{64}$/.test(name)),
    [],
  );
  const good = { config: { name: 'good' } };
  assert.equal(await send(good, { name: 'good' }), '201');
  assert.equal((await hob.fn('good')).body.toString('utf8'), 'deployed');
}

/** Paths that no file of a bundle may have. */
const paths: readonly string[] = [
  `../${ESCAPE}`,
  `../../../../../../tmp/${ESCAPE}`,
  `/tmp/${ESCAPE}`,
  `a/../../${ESCAPE}`,
  './a',
  'a//b',
  'a/./b',
  'a/',
  '',
  '..',
  '.',
  'a\0b',
  'a\nb',
  'a\u2028b',
  'a\\..\\b',
  'C:\\a',
  'x'.repeat(256),
  `${'x/'.repeat(600)}y`,
  'a\ud800b',
];

test('a bundle whose manifest names a path that leads elsewhere is refused', async () => {
  for (const path of paths) {
    const upload = { files: [entry('index.mjs'), { ...entry('x'), path }], parts: [['index.mjs', CODE]] as const };
    assert.equal(await send(upload), '400 ERR_BUNDLE_INVALID', JSON.stringify(path));
  }
  await assertUnharmed();
});

test('a bundle whose parts have other names than its manifest is refused', async () => {
  for (const filename of [`../${ESCAPE}`, `/tmp/${ESCAPE}`, 'other', '', 'index.mjs\0', 'a\\"b']) {
    const files = [entry('index.mjs'), entry('asset')];
    const outcome = await send({
      files,
      parts: [
        ['index.mjs', CODE],
        [filename, CODE],
      ],
    });
    assert.match(outcome, /^400 ERR_(?:BUNDLE_INVALID|API_BAD_REQUEST)$/, JSON.stringify(filename));
  }
  await assertUnharmed();
});

test('a bundle that does not fit together is refused', async () => {
  const good = entry('index.mjs');
  const cases: Readonly<Record<string, Upload>> = {
    'twice in the manifest': { files: [good, good] },
    'twice in the parts': {
      parts: [
        ['index.mjs', CODE],
        ['index.mjs', CODE],
      ],
    },
    'a file that is a folder too': { files: [good, entry('index.mjs/x')] },
    'no code': { files: [entry('other.mjs')], parts: [['other.mjs', CODE]] },
    'a part too few': { files: [good, entry('asset')] },
    'a part too many': {
      parts: [
        ['index.mjs', CODE],
        ['more', CODE],
      ],
    },
    'another content': {
      files: [entry('index.mjs', NEW_CODE)],
      parts: [['index.mjs', NEW_CODE.replace('new', 'old')]],
    },
    'a longer content': { files: [entry('index.mjs', NEW_CODE)], parts: [['index.mjs', `${NEW_CODE} `]] },
    'a shorter content': { files: [entry('index.mjs', NEW_CODE)], parts: [['index.mjs', NEW_CODE.slice(1)]] },
    'a negative size': { files: [{ ...good, bytes: -1 }] },
    'a size that is text': { files: [{ ...good, bytes: '46' }] },
    'a size beyond numbers': { files: [{ ...good, bytes: 2 ** 60 }] },
    'a digest that is a path': { files: [{ ...good, sha256: `../../${'a'.repeat(58)}` }] },
    'a digest that is an object': { files: [{ ...good, sha256: {} }] },
    'a path that is an object': { files: [{ ...good, path: {} }] },
    'too many files': { files: Array.from({ length: BUNDLE_FILES_MAX + 1 }, (_, at) => entry(`f${at}`)) },
  };
  for (const [what, upload] of Object.entries(cases)) assert.equal(await send(upload), '400 ERR_BUNDLE_INVALID', what);
  await assertUnharmed();
});

test('a source map of a gigabyte is refused before any of it is read', async () => {
  const map = { path: 'index.mjs.map', bytes: GiB, sha256: 'a'.repeat(64) };
  assert.equal(await send({ files: [entry('index.mjs'), map] }), '413 ERR_BUNDLE_TOO_LARGE');
  await assertUnharmed();
});

test('a file that goes on for ever is cut off where its manifest ends', async () => {
  using connection = await RawConnection.open(hob.url);
  const files = [entry('index.mjs', NEW_CODE), { ...entry('index.mjs.map'), bytes: 1000 }];
  const start = multipart({ files, parts: [['index.mjs', NEW_CODE]] });
  const opening = start.subarray(0, start.byteLength - '--b--\r\n'.length);
  connection.send(requestHead('hostile', 100 * GiB));
  connection.send(opening);
  connection.send('--b\r\ncontent-disposition: form-data; name="file"; filename="index.mjs.map"\r\n\r\n');
  const block = Buffer.alloc(MiB, 0x3b);
  let sentMiB = 0;
  while (sentMiB < 1024 && connection.text === '' && (await connection.sendSlowly(block))) sentMiB += 1;
  assert.ok(sentMiB < 1024, 'a gigabyte was taken');
  assert.ok((await connection.status()) !== 201);
  await assertUnharmed();
});

test('a source map that is a bomb explains no stack and hurts nobody', async () => {
  const code = "export default () => { throw new Error('thrown'); };";
  const map = `{"version":3,"sources":["a"],"names":[],"mappings":"${';'.repeat(40 * MiB)}"}`;
  const outcome = await send(
    {
      config: { name: 'bomb' },
      files: [entry('index.mjs', code), entry('index.mjs.map', map)],
      parts: [
        ['index.mjs', code],
        ['index.mjs.map', map],
      ],
    },
    { name: 'bomb' },
  );
  assert.equal(outcome, '201');
  const answers = await Promise.all(Array.from({ length: 8 }, () => hob.fn('bomb')));
  for (const answer of answers) assert.match(answer.body.toString('utf8'), /ERR_FN_THREW/);
  await assertUnharmed();
});

test('a compressed upload is not unpacked', async () => {
  for (const encoding of ['gzip', 'br', 'deflate', 'zstd']) {
    const outcome = await send({}, { more: `content-encoding: ${encoding}\r\n` });
    // Either it says that it takes none, or it takes the bytes as they are: here these are a good upload.
    assert.match(outcome, /^(?:201|4\d\d ERR_[A-Z_]+)$/, encoding);
    if (outcome === '201') assert.equal((await hob.hob(['rm', 'hostile', '--yes'])).exitCode, 0);
  }
  await assertUnharmed();
});

test('a configuration with keys that would reach prototypes is refused', async () => {
  const files = JSON.stringify({ files: [entry('index.mjs')] });
  const configs: Readonly<Record<string, string>> = {
    __proto__: '{"name":"hostile","__proto__":{"memoryMb":8192}}',
    constructor: '{"name":"hostile","constructor":{"prototype":{"polluted":1}}}',
    '__proto__ in env': '{"name":"hostile","env":{"__proto__":"x"}}',
    'an object in env': '{"name":"hostile","env":{"A":{"toString":1}}}',
    'NUL in env': String.raw`{"name":"hostile","env":{"A":"a\u0000b"}}`,
    'NUL in an entry': String.raw`{"name":"hostile","entry":"a\u0000b"}`,
    'an entry that leads upwards': '{"name":"hostile","entry":"../../../etc/passwd"}',
    'assets that lead upwards': '{"name":"hostile","assets":["../../../etc"]}',
    'absolute assets': '{"name":"hostile","assets":["/etc"]}',
    'another name': '{"name":"good"}',
    'a name that leads upwards': '{"name":"../good"}',
    'a name with a NUL': String.raw`{"name":"hostile\u0000"}`,
    'a huge name': `{"name":"${'x'.repeat(100_000)}"}`,
    'a runtime that is a path': '{"name":"hostile","runtime":"../../bin/sh"}',
    'memory without end': '{"name":"hostile","memoryMb":1e308}',
    'a list': '[]',
  };
  for (const [what, text] of Object.entries(configs)) {
    const outcome = await send({ deploy: `{"config":${text},"manifest":${files}}` });
    assert.equal(outcome, '400 ERR_CONFIG_INVALID', what);
  }
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  await assertUnharmed();
});

test('a field that is too large, too deep or no JSON is refused', async () => {
  const cases: Readonly<Record<string, string>> = {
    'too large': `{"config":"${'x'.repeat(17 * MiB)}"}`,
    'too deep': `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`,
    'deep in the configuration': `{"config":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)},"manifest":{"files":[]}}`,
    'no JSON': '{"config"',
    nothing: '',
    null: 'null',
  };
  for (const [what, deploy] of Object.entries(cases)) {
    const outcome = await send({ deploy });
    assert.match(
      outcome,
      /^(?:400 ERR_(?:API_BAD_REQUEST|CONFIG_INVALID|BUNDLE_INVALID)|413 ERR_HTTP_BODY_TOO_LARGE)$/,
      what,
    );
  }
  await assertUnharmed();
});

test('file names that mean something in JavaScript are names like others', async () => {
  const files = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '-rf', '$(x)', 'a b', "'"];
  const upload: Upload = {
    config: { name: 'names' },
    files: [entry('index.mjs'), ...files.map((path) => entry(path))],
    parts: [['index.mjs', CODE], ...files.map((path) => [path, CODE] as const)],
  };
  assert.equal(await send(upload, { name: 'names' }), '201');
  assert.equal((await hob.fn('names')).body.toString('utf8'), 'deployed');
  await assertUnharmed();
});

/** What a folder may hold beside its code that a deploy must not take. */
const folders: Readonly<Record<string, (at: string) => void>> = {
  'a link to a file of the host': (at) => symlinkSync('/etc/shadow', join(at, 'asset')),
  'a link to a folder of the host': (at) => symlinkSync('/etc', join(at, 'asset')),
  'a link upwards': (at) => symlinkSync('../..', join(at, 'asset')),
  'a link to itself': (at) => symlinkSync('asset', join(at, 'asset')),
  'a folder that links to itself': (at) => {
    mkdirSync(join(at, 'asset'));
    symlinkSync('.', join(at, 'asset/again'));
  },
  'a named pipe': (at) => void execFileSync('mkfifo', [join(at, 'asset')]),
  'a device': (at) => void execFileSync('mknod', [join(at, 'asset'), 'c', '1', '5']),
  'a link to a device': (at) => symlinkSync('/dev/zero', join(at, 'asset')),
};

test('hob deploy refuses folders with links that leave them, pipes and devices', async () => {
  for (const [what, make] of Object.entries(folders)) {
    const at = join(folder.path, what.replaceAll(' ', '-'));
    await writeFunction(at, { name: 'hostile', assets: ['asset'] }, CODE);
    make(at);
    const { exitCode, stderr } = await hob.hob(['deploy', at]);
    assert.equal(exitCode, 1, `${what}: ${stderr}`);
    assert.ok((/ERR_[A-Z_]+/.exec(stderr)?.[0] ?? '') in catalogue, `${what}: ${stderr}`);
  }
  await assertUnharmed();
});

test('hob deploy refuses an entry that is a link to a file of the host', async () => {
  const at = join(folder.path, 'entry');
  await writeFunction(at, { name: 'hostile', entry: 'link.ts' }, CODE);
  writeFileSync(join(folder.path, 'outside.ts'), CODE);
  symlinkSync('../outside.ts', join(at, 'link.ts'));
  const { exitCode, stderr } = await hob.hob(['deploy', at]);
  assert.equal(exitCode, 1, stderr);
  assert.match(stderr, /ERR_BUILD_ENTRY_NOT_FOUND/);
  await assertUnharmed();
});
