import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { hob, temporaryFolder } from './fakes/command-run.ts';
import { ControlServer, json, sendProblem } from './fakes/control-server.ts';
import { logLines, snapshot, summary, version } from './fakes/samples.ts';

const listing = { 'GET /v1/functions': json([summary]), 'GET /v1/stats': json(snapshot) };

test('hob ls prints name, live version, memory, containers of all versions and URL', async () => {
  await using server = await ControlServer.start(listing);
  const { code, stdout, stderr } = await hob(['ls'], { env: { HOB_URL: server.url } });
  assert.equal(code, 0, stderr);
  const [head = '', row = '', end] = stdout.split('\n');
  assert.deepEqual(head.split(/\s+/), ['NAME', 'LIVE', 'MEMORY', 'CONTAINERS', 'URL']);
  assert.deepEqual(row.split(/\s{2,}/), ['hello', '3', '256 MB', '7', `${server.url}/fn/hello`]);
  assert.equal(end, '');
});

test('hob ls --json prints an array that has the URL and the containers too', async () => {
  await using server = await ControlServer.start(listing);
  const { stdout } = await hob(['ls', '--json'], { env: { HOB_URL: server.url } });
  const url = `${server.url}/fn/hello`;
  assert.deepEqual(JSON.parse(stdout), [{ ...summary, containers: 7, url }]);
});

test('hob ls without functions keeps stdout empty and hints on stderr', async () => {
  await using server = await ControlServer.start({ ...listing, 'GET /v1/functions': json([]) });
  const { code, stdout, stderr } = await hob(['ls'], { env: { HOB_URL: server.url } });
  assert.equal(code, 0);
  assert.equal(stdout, '');
  assert.match(stderr, /hob init/);
});

test('the client sends HOB_TOKEN, else what the operator file has for that server, else nothing', async (t) => {
  const home = await temporaryFolder(t);
  await using server = await ControlServer.start(listing);
  await mkdir(join(home, 'hob'));
  const tokens = { [server.url]: 'from-file', 'http://127.0.0.1:1': 'of-another' };
  await writeFile(join(home, 'hob', 'token'), JSON.stringify(tokens));
  await chmod(join(home, 'hob', 'token'), 0o600);
  const sent = async (env: Record<string, string>): Promise<string | undefined> => {
    server.seen.length = 0;
    await hob(['ls'], { env: { HOB_URL: server.url.replace('127.0.0.1', 'localhost'), ...env } });
    return server.seen[0]?.headers.authorization;
  };
  assert.equal(await sent({ HOB_TOKEN: 'given', XDG_CONFIG_HOME: home }), 'Bearer given');
  assert.equal(await sent({ XDG_CONFIG_HOME: home }), 'Bearer from-file');
  assert.equal(await sent({}), undefined);
});

test('hob describe prints the live configuration, every version and the containers', async () => {
  const description = { summary, versions: [{ ...version, version: 2 }, version], snapshot: snapshot.functions };
  await using server = await ControlServer.start({ 'GET /v1/functions/hello': json(description) });
  const { code, stdout } = await hob(['describe', 'hello'], { env: { HOB_URL: server.url } });
  assert.equal(code, 0);
  assert.match(stdout, /^memory +256 MB$/m);
  assert.match(stdout, /^env +GREETING$/m, 'names of variables, never their values');
  assert.match(stdout, /^seccomp +-$/m);
  assert.match(stdout, /^2 +- +abababababab +2\.0 KB /m);
  assert.match(stdout, /^3 +live +abababababab /m);
  assert.match(stdout, /^hello@3 +1 +2 +3 +4 +1\.50 s +9\.0 MB +540-660\.5 s, learned$/m);
  assert.match(stdout, /^hello@2 .* 60 s$/m);
  const asJson = await hob(['describe', 'hello', '--json'], { env: { HOB_URL: server.url } });
  assert.deepEqual(JSON.parse(asJson.stdout), description);
});

test('hob describe says which system calls end the containers', async () => {
  const rules = { deny: ['mkdir', 'umask'], onViolation: 'kill' as const };
  const live = { ...summary.live, config: { ...summary.live.config, seccomp: rules } };
  const description = { summary: { ...summary, live }, versions: [live], snapshot: [] };
  await using server = await ControlServer.start({ 'GET /v1/functions/hello': json(description) });
  const { stdout } = await hob(['describe', 'hello'], { env: { HOB_URL: server.url } });
  assert.match(stdout, /^seccomp +denies mkdir umask, violations end the container$/m);
});

test('hob stats prints pools, functions and zygotes', async () => {
  await using server = await ControlServer.start(listing);
  const { stdout } = await hob(['stats'], { env: { HOB_URL: server.url } });
  assert.match(stdout, /^nodejs24\.x +256 MB +none +1 +2 +3 +2 +8 +4\.0$/m);
  assert.match(stdout, /^8192 MB +4096 MB +11 MB +2048 MB +1\.5 %$/m);
  assert.match(stdout, /^hello@2 +0 +1 +0 +0 +0\.25 s +4\.0 MB +60 s$/m);
  assert.match(stdout, /^nodejs24\.x +256 MB +4242 +1$/m);
  const { pressurePercent: _, ...rest } = snapshot.memory ?? {};
  await using untold = await ControlServer.start({ 'GET /v1/stats': json({ ...snapshot, memory: rest }) });
  const without = await hob(['stats'], { env: { HOB_URL: untold.url } });
  assert.match(without.stdout, /^8192 MB .* not told by this kernel$/m);
  const asJson = await hob(['stats', '--json'], { env: { HOB_URL: server.url } });
  assert.deepEqual(JSON.parse(asJson.stdout), snapshot);
});

const logsOf = (path: string) => ({
  [`GET ${path}`]: json('unused'),
  [`GET ${path}/logs?tail=100&follow=false`]: (_: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const lines = logLines.map((line) => `${JSON.stringify(line)}\n`).join('');
    // In pieces that fall in the middle of lines and of characters.
    const bytes = Buffer.from(lines);
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  },
});

test('hob logs prints time, short invocation, channel and line', async () => {
  await using server = await ControlServer.start(logsOf('/v1/functions/hello'));
  const { code, stdout } = await hob(['logs', 'hello'], { env: { HOB_URL: server.url } });
  assert.equal(code, 0);
  const [first, second] = stdout.split('\n');
  assert.equal(first, '2026-01-02T03:04:05.678Z 0f0e0d0c stdout   plain');
  assert.ok(second?.includes('\u001b[2J'), 'a file gets the line as it was written');
});

test('hob logs on a terminal prints none of the control characters that a function wrote', async () => {
  await using server = await ControlServer.start(logsOf('/v1/functions/hello'));
  const { stdout } = await hob(['logs', 'hello'], { env: { HOB_URL: server.url, NO_COLOR: '1' }, tty: true });
  assert.equal(stdout.split('\n')[1], '2026-01-02T03:04:06.000Z -        stderr   cleared over');
});

test('hob logs --denied asks for the denied lines only', async () => {
  await using server = await ControlServer.start({
    'GET /v1/functions/hello/logs?tail=100&follow=false&channel=denied': (_: unknown, response: ServerResponse) => {
      response.end(`${JSON.stringify({ ...logLines[0], channel: 'denied', line: 'tcp 10.0.0.5:5432: no' })}\n`);
    },
  });
  const { code, stdout } = await hob(['logs', 'hello', '--denied'], { env: { HOB_URL: server.url } });
  assert.equal(code, 0);
  assert.match(stdout, /^\S+ \w+ denied   tcp 10\.0\.0\.5:5432: no$/m);
});

test('hob logs --json passes every line on as it came', async () => {
  await using server = await ControlServer.start(logsOf('/v1/functions/hello'));
  const { stdout } = await hob(['logs', 'hello', '--json'], { env: { HOB_URL: server.url } });
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
    logLines,
  );
});

test('hob rm removes each function and stops at the first that fails', async () => {
  await using server = await ControlServer.start({
    'DELETE /v1/functions/one': (_request, response) => void response.writeHead(204).end(),
    'DELETE /v1/functions/two': (_request, response) => {
      sendProblem(response, 'ERR_FN_NOT_FOUND', 'no function is called "two"');
    },
  });
  const { code, stdout, stderr } = await hob(['rm', 'one', 'two', 'three'], { env: { HOB_URL: server.url } });
  assert.equal(code, 1);
  assert.equal(stdout, 'removed one\n');
  assert.match(stderr, /^error: no function is called "two" \(ERR_FN_NOT_FOUND\)\nhint: /);
  assert.deepEqual(
    server.seen.map(({ url }) => url),
    ['/v1/functions/one', '/v1/functions/two'],
  );
});

test('hob rm asks on a terminal, and removes nothing unless the answer is yes', async () => {
  await using server = await ControlServer.start({
    'DELETE /v1/functions/one': (_request, response) => void response.writeHead(204).end(),
  });
  const env = { HOB_URL: server.url, NO_COLOR: '1' };
  const no = await hob(['rm', 'one'], { env, tty: true, stdin: '\n' });
  assert.equal(no.code, 1);
  assert.equal(server.seen.length, 0);
  const yes = await hob(['rm', 'one'], { env, tty: true, stdin: 'y\n' });
  assert.equal(yes.code, 0, yes.stderr);
  const unasked = await hob(['rm', 'one', '--yes', '--json'], { env });
  assert.deepEqual(JSON.parse(unasked.stdout), { removed: ['one'] });
  assert.equal(server.seen.length, 2);
});

test('an unreachable server is ERR_CLI_UNREACHABLE with a hint, in text and in JSON', async () => {
  // A port that was free a moment ago: nothing listens there now.
  const server = await ControlServer.start({});
  const { url } = server;
  await server[Symbol.asyncDispose]();
  const { code, stdout, stderr } = await hob(['ls'], { env: { HOB_URL: url } });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^error: no answer from http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\(ERR_CLI_UNREACHABLE\)\nhint: .*hob serve/,
  );
  const asJson = await hob(['ls', '--json'], { env: { HOB_URL: url } });
  const { error } = JSON.parse(asJson.stderr) as { error: { code: string; hint: string } };
  assert.equal(error.code, 'ERR_CLI_UNREACHABLE');
  assert.match(error.hint, /HOB_URL/);
});

test('an answer that is no problem of hob, no JSON or cut short is ERR_CLI_BAD_ANSWER', async () => {
  await using server = await ControlServer.start({
    'GET /v1/functions/plain': (_request, response) => void response.writeHead(500).end('oops'),
    'GET /v1/functions/html': (_request, response) => void response.end('<html>'),
    'GET /v1/functions/short': (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    },
  });
  for (const name of ['plain', 'html', 'short']) {
    const { code, stderr } = await hob(['describe', name], { env: { HOB_URL: server.url } });
    assert.equal(code, 1);
    assert.match(stderr, /\(ERR_CLI_BAD_ANSWER\)/, name);
  }
});

test('an error shows its stack only with HOB_DEBUG=1', async () => {
  await using server = await ControlServer.start({});
  const env = { HOB_URL: server.url };
  const quiet = await hob(['describe', 'hello'], { env });
  assert.doesNotMatch(quiet.stderr, /^ +at /m);
  assert.equal(quiet.stderr.trimEnd().split('\n').length, 2);
  const loud = await hob(['describe', 'hello'], { env: { ...env, HOB_DEBUG: '1' } });
  assert.match(loud.stderr, /^ +at /m);
});
