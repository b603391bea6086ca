import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hob, temporaryFolder } from './fakes/command-run.ts';
import { ControlServer, json, sendProblem } from './fakes/control-server.ts';

const accounted = {
  'hob-invocation-id': '0f0e0d0c-1111-4222-8333-444455556666',
  'hob-version': '3',
  'hob-start': 'pool',
  'hob-receipt':
    'start=pool, queue-ms=0.1, create-ms=0.0, load-ms=2.25, run-ms=1.5, cpu-ms=3.25, container-age-ms=1500.0, ' +
    'memory-peak-bytes=9437184, bytes-in=2, bytes-out=4, outcome=ok',
};
const receipt = {
  invocationId: '0f0e0d0c-1111-4222-8333-444455556666',
  version: 3,
  start: 'pool',
  queueMs: 0.1,
  createMs: 0,
  thawMs: 0,
  loadMs: 2.25,
  runMs: 1.5,
  cpuMs: 3.25,
  memoryPeakBytes: 9_437_184,
  containerAgeMs: 1500,
  bytesIn: 2,
  bytesOut: 4,
  outcome: 'ok',
  cause: '',
};

test('hob invoke is a GET of / that prints the body byte by byte', async () => {
  const bytes = randomBytes(300_000);
  await using server = await ControlServer.start({
    'GET /fn/hello': (_request, response) => void response.end(bytes),
  });
  const { code, stdoutBytes, stderr } = await hob(['invoke', 'hello'], {
    env: { HOB_URL: server.url, HOB_TOKEN: 't' },
  });
  assert.equal(code, 0, stderr);
  assert.ok(stdoutBytes.equals(bytes));
  assert.equal(stderr, '');
  assert.equal(server.seen[0]?.headers.authorization, 'Bearer t');
});

test('hob invoke on a terminal prints no control characters of the function', async () => {
  await using server = await ControlServer.start({
    'GET /fn/hello': (_request, response) => void response.end('\u001b]0;title\u0007a\tb\r\nc\u009bd'),
  });
  const { stdout } = await hob(['invoke', 'hello'], { env: { HOB_URL: server.url }, tty: true });
  assert.equal(stdout, ']0;titlea\tb\ncd\n');
});

test('hob invoke sends method, path, query and headers as told', async () => {
  await using server = await ControlServer.start({ 'PUT /fn/api@2/../v1/%C3%A9?a=%20b': json('done') });
  const argv = ['invoke', 'api@2', '--path', '/../v1/é?a= b', '--method', 'put', '-H', 'X-Id: 7', '-H', 'x-id: 8:9'];
  const { code, stderr } = await hob(argv, { env: { HOB_URL: server.url } });
  assert.equal(code, 0, stderr);
  assert.equal(server.seen[0]?.headers['x-id'], '7, 8:9');
});

test('hob invoke --data is a POST whose content type follows the data', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'event.json'), '{"from":"file"}');
  await writeFile(join(folder, 'photo.png'), 'bytes');
  await using server = await ControlServer.start({ 'POST /fn/hello': json('done') });
  const env = { HOB_URL: server.url };
  await hob(['invoke', 'hello', '--data', '{"a":1}'], { env });
  await hob(['invoke', 'hello', '--data', 'words'], { env });
  await hob(['invoke', 'hello', '--data', `@${folder}/event.json`], { env });
  await hob(['invoke', 'hello', '--data', `@${folder}/photo.png`, '-H', 'Content-Type: image/png'], { env });
  await hob(['invoke', 'hello', '--data', '@-'], { env, stdin: 'from stdin' });
  assert.deepEqual(
    server.seen.map(({ headers, body }) => [headers['content-type'], body]),
    [
      ['application/json', '{"a":1}'],
      ['text/plain; charset=utf-8', 'words'],
      ['application/json', '{"from":"file"}'],
      ['image/png', 'bytes'],
      ['application/octet-stream', 'from stdin'],
    ],
  );
});

test('hob invoke --receipt prints the account to stderr, the body alone to stdout', async () => {
  await using server = await ControlServer.start({
    'GET /fn/hello': (_request, response) => void response.writeHead(200, accounted).end('body'),
  });
  const { stdout, stderr } = await hob(['invoke', 'hello', '--receipt'], { env: { HOB_URL: server.url } });
  assert.equal(stdout, 'body');
  const lines =
    'invocation 0f0e0d0c-1111-4222-8333-444455556666  version 3  start pool  ' +
    'queue 0.10 ms  create 0.00 ms  thaw 0.00 ms  load 2.25 ms  run 1.50 ms  cpu 3.25 ms\n' +
    'memory peak 9.0 MB  in 2 B  out 4 B  container age 1.50 s  outcome ok\n';
  assert.equal(stderr, lines);
});

test('hob invoke --json prints status, headers, receipt and body, base64 when it is no text', async () => {
  await using server = await ControlServer.start({
    'GET /fn/text': (_request, response) => void response.writeHead(201, accounted).end('häuser'),
    'GET /fn/bytes': (_request, response) => void response.end(Buffer.from([0xff, 0x00])),
  });
  const env = { HOB_URL: server.url };
  const text = JSON.parse((await hob(['invoke', 'text', '--json'], { env })).stdout) as Record<string, unknown>;
  assert.equal(text['status'], 201);
  assert.deepEqual(text['receipt'], receipt);
  assert.equal(text['body'], 'häuser');
  assert.equal((text['headers'] as Record<string, string>)['hob-start'], 'pool');
  const bytes = JSON.parse((await hob(['invoke', 'bytes', '--json'], { env })).stdout) as Record<string, unknown>;
  assert.equal(bytes['bodyEncoding'], 'base64');
  assert.equal(bytes['body'], '/wA=');
});

test('hob invoke tells an error of hob with the stack of the function, and ends with 1', async () => {
  const failure = { name: 'TypeError', message: 'x', stack: 'TypeError: x\n    at handler (index.ts:3:9)' };
  await using server = await ControlServer.start({
    'GET /fn/hello': (_request, response) => sendProblem(response, 'ERR_FN_THREW', 'TypeError: x', { failure }),
  });
  const { code, stdout, stderr } = await hob(['invoke', 'hello'], { env: { HOB_URL: server.url } });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^error: TypeError: x \(ERR_FN_THREW\)\nTypeError: x\n {4}at handler \(index\.ts:3:9\)\nhint: .*hob logs/,
  );
});

test("hob invoke prints a function's own error answer, and ends with 1", async () => {
  await using server = await ControlServer.start({
    'GET /fn/plain': (_request, response) => void response.writeHead(418).end('teapot'),
    'GET /fn/problem': (_request, response) => {
      response.writeHead(400, { 'content-type': 'application/problem+json' });
      response.end('{"title":"mine"}');
    },
  });
  const env = { HOB_URL: server.url };
  const plain = await hob(['invoke', 'plain'], { env });
  assert.deepEqual([plain.code, plain.stdout], [1, 'teapot']);
  assert.match(plain.stderr, /plain answered with status 418 \(ERR_CLI_STATUS\)/);
  const problem = await hob(['invoke', 'problem'], { env });
  assert.deepEqual([problem.code, problem.stdout], [1, '{"title":"mine"}\n']);
});

test('hob invoke of an answer that is cut short prints what came, and ends with 1', async () => {
  await using server = await ControlServer.start({
    'GET /fn/hello': (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    },
  });
  const { code, stdout, stderr } = await hob(['invoke', 'hello'], { env: { HOB_URL: server.url } });
  assert.deepEqual([code, stdout], [1, 'half']);
  assert.match(stderr, /ended early.*\(ERR_CLI_BAD_ANSWER\)/);
});

test('hob invoke refuses bad names, paths, methods, headers and files before it asks the server', async (t) => {
  const folder = await temporaryFolder(t);
  await using server = await ControlServer.start({});
  const env = { HOB_URL: server.url };
  const usage = [
    ['invoke', 'Hello'],
    ['invoke', 'hello@0'],
    ['invoke', 'hello/../../v1'],
    ['invoke', 'hello', '--path', 'x'],
    ['invoke', 'hello', '--method', 'a b'],
    ['invoke', 'hello', '-H', 'no colon'],
    ['invoke', 'hello', '--data', `@${folder}`],
  ];
  for (const argv of usage) {
    const { code, stderr } = await hob(argv, { env });
    assert.equal(code, 2, `${argv.join(' ')}: ${stderr}`);
    assert.match(stderr, /^error: .*\(ERR_CLI_USAGE\)\nhint: /);
  }
  const absent = await hob(['invoke', 'hello', '--data', `@${folder}/absent`], { env });
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /\(ENOENT\)/);
  assert.equal(server.seen.length, 0);
});
