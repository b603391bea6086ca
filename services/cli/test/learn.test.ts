import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hob, temporaryFolder } from './fakes/command-run.ts';
import { ControlServer, json } from './fakes/control-server.ts';

const seccomp = { allow: ['openat', 'socket'] };
const learnt = { function: 'hello', version: 3, seccomp, calls: [{ status: 200, outcome: 'ok' }] };
const path = 'POST /v1/functions/hello/seccomp/learn';

/** Runs `hob seccomp learn`. @returns what it printed, and what it sent. */
async function learn(argv: readonly string[], answer: object = learnt, stdin = '') {
  await using server = await ControlServer.start({ [path]: json(answer) });
  const outcome = await hob(['seccomp', 'learn', ...argv], { env: { HOB_URL: server.url, HOB_TOKEN: 't' }, stdin });
  const sent = server.seen.map(({ body }) => JSON.parse(body) as unknown);
  return { ...outcome, sent };
}

test('hob seccomp learn prints what hob.json takes, and says on stderr what to do with it', async () => {
  const { code, stdout, stderr, sent } = await learn(['hello']);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { seccomp });
  assert.match(stderr, /^hello needs this in its hob\.json; /);
  assert.deepEqual(sent, [{ calls: [{ headers: {} }] }]);
});

test('hob seccomp learn sends the one call that its options describe', async (t) => {
  const options = ['--path', '/a?b=é', '--method', 'put', '--header', 'x-id: 7', '--header', 'X-Id: 8'];
  const { sent } = await learn(['hello@2', ...options, '--data', '{"n":1}']);
  const headers = { 'content-type': 'application/json', 'x-id': '7, 8' };
  assert.deepEqual(sent, [{ version: 2, calls: [{ method: 'PUT', path: '/a?b=%C3%A9', headers, body: '{"n":1}' }] }]);
  const file = join(await temporaryFolder(t), 'photo.png');
  await writeFile(file, Buffer.from([0xff, 0x00]));
  const binary = { headers: { 'content-type': 'application/octet-stream' }, body: '/wA=', bodyEncoding: 'base64' };
  assert.deepEqual((await learn(['hello', '--data', `@${file}`])).sent, [{ calls: [binary] }]);
  assert.deepEqual((await learn(['hello', '--data', '@-'], learnt, '\u00ff')).sent, [
    { calls: [{ ...binary, body: 'w78=' }] },
  ]);
});

test('hob seccomp learn makes the calls of a file, one a line', async (t) => {
  const calls = [{ path: '/a' }, { method: 'PUT', body: 'x' }];
  const text = `${calls.map((call) => JSON.stringify(call)).join('\n\n')}\r\n`;
  const file = join(await temporaryFolder(t), 'calls.ndjson');
  await writeFile(file, text);
  assert.deepEqual((await learn(['hello', '--calls', file])).sent, [{ calls }]);
  assert.deepEqual((await learn(['hello', '--calls', '-'], learnt, text)).sent, [{ calls }]);
  const broken = await learn(['hello', '--calls', '-'], learnt, '{}\n{]\n');
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /^error: -:2 is no JSON \(ERR_CLI_USAGE\)/);
  const both = await learn(['hello', '--calls', '-', '--path', '/a']);
  assert.match(both.stderr, /^error: --calls and --path exclude each other \(ERR_CLI_USAGE\)/);
  assert.deepEqual([broken.sent, both.sent], [[], []]);
});

test('hob seccomp learn --write puts it into hob.json and leaves all else there alone', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'hob.json');
  await writeFile(file, '{\n  // greets\n  "name": "hello",\n}\n');
  const { code, stdout, stderr } = await learn(['hello', '--write', folder]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { seccomp });
  assert.equal(stderr, `written to ${file}; "hob deploy" makes it hold\n`);
  const text = await readFile(file, 'utf8');
  assert.ok(text.startsWith('{\n  // greets\n  "name": "hello",\n  "seccomp": {'), text);
  await writeFile(file, '{ "name": "another" }');
  const wrong = await learn(['hello', '--write', folder]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /hob\.json is of "another", not of "hello" \(ERR_CLI_USAGE\)/);
  assert.deepEqual(wrong.sent, [], 'nothing was called');
  assert.equal(await readFile(file, 'utf8'), '{ "name": "another" }');
});

test('hob seccomp learn warns of calls that failed, and --json prints the whole answer', async () => {
  const calls = [
    { status: 200, outcome: 'ok' },
    { outcome: 'ERR_FN_THREW' },
    { status: 200, outcome: 'ERR_FN_TIMEOUT' },
  ];
  const { code, stdout, stderr } = await learn(['hello', '--json'], { ...learnt, calls });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { ...learnt, calls });
  assert.match(stderr, /^warning: call 2 failed \(ERR_FN_THREW\): what it would have done is not learnt$/m);
  assert.match(stderr, /^warning: call 3 failed after status 200 \(ERR_FN_TIMEOUT\)/m);
});
