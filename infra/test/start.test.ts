import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { callExample } from '../commands/example.ts';
import { isTaken, listenUrl } from '../commands/hob-process.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hob-example-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Serves on a free port while `use` runs. */
async function withServer(listener: RequestListener, use: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  try {
    await use(`http://127.0.0.1:${address.port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('listenUrl gives the address by which this machine reaches hob', () => {
  assert.equal(listenUrl(undefined).origin, 'http://127.0.0.1:8080');
  assert.equal(listenUrl('9000').origin, 'http://127.0.0.1:9000');
  assert.equal(listenUrl('0.0.0.0:9000').origin, 'http://127.0.0.1:9000');
  assert.equal(listenUrl('[::]:9000').origin, 'http://[::1]:9000');
  for (const bad of ['127.0.0.1:0', 'a b:1', '127.0.0.1:9000/x', '127.0.0.1:99999']) {
    assert.throws(() => listenUrl(bad), /HOB_LISTEN/, bad);
  }
});

test('isTaken sees a listener and sees when it is gone', async () => {
  let origin = '';
  await withServer(
    (_request, response) => response.end(),
    async (at) => {
      origin = at;
      assert.equal(await isTaken(new URL(at)), true);
    },
  );
  assert.equal(await isTaken(new URL(origin)), false);
});

test('callExample sends what call.json says and shows what came back', async () => {
  writeFileSync(join(folder, 'in.md'), '# Title');
  const call = { method: 'PUT', path: '/x?y=1', headers: { 'x-kind': 'real' }, bodyFile: 'in.md' };
  const expect = { status: 201, contentType: 'text/plain', bodyIncludes: 'PUT /fn/demo/x?y=1 real # Title' };
  writeFileSync(join(folder, 'call.json'), JSON.stringify({ ...call, expect }));
  const echo: RequestListener = (request, response) => {
    response.writeHead(201, { 'content-type': 'text/plain; charset=utf-8', 'hob-start': 'pool' });
    response.write(`${request.method} ${request.url} ${String(request.headers['x-kind'])}\n`.trimEnd() + ' ');
    request.pipe(response);
  };
  await withServer(echo, async (origin) => {
    const answer = await callExample(folder, `${origin}/fn/demo`);
    assert.deepEqual(answer.problems, []);
    assert.equal(answer.requestLine, 'PUT /fn/demo/x?y=1');
    assert.equal(answer.start, 'pool');
    assert.equal(answer.excerpt, 'PUT /fn/demo/x?y=1 real # Title');
  });
});

test('callExample names every way in which an answer differs', async () => {
  const expect = { status: 200, contentType: 'image/png', bodyIncludes: 'never' };
  writeFileSync(join(folder, 'call.json'), JSON.stringify({ method: 'GET', path: '/', expect }));
  const empty: RequestListener = (_request, response) => response.writeHead(502).end();
  await withServer(empty, async (origin) => {
    const { problems } = await callExample(folder, `${origin}/fn/demo`);
    assert.equal(problems.length, 4);
  });
});
