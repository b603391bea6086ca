import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import * as fc from 'fast-check';
import type { FrameSink } from '../src/frame-sink.ts';
import { makeRequest, RequestForFunctions, withRealRequest } from '../src/lazy-request.ts';
import { ResponseForFunctions, takeWholeResponse } from '../src/lazy-response.ts';
import { RequestBody } from '../src/request-body.ts';
import { ShimHost } from './support/shim-host.ts';

const nowhere: FrameSink = { send: () => undefined, pendingBytes: 0, hasRoom: true, whenRoom: (then) => then() };

/** A lazy request whose body is there as a whole. */
function request(text?: string, headers: readonly string[] = []): Request {
  const body = new RequestBody(1, nowhere);
  body.push(Buffer.from(text ?? ''), true);
  return makeRequest({
    method: text === undefined ? 'GET' : 'POST',
    url: 'http://h/a?b#c',
    headers: () => headers,
    body: text === undefined ? undefined : body,
    signal: () => AbortSignal.timeout(60_000),
  });
}

/** What a caller can see of a response or what it throws. */
async function visible(make: () => Response): Promise<unknown> {
  try {
    const response = make();
    const { status, ok, statusText, type, url, redirected, bodyUsed } = response;
    const copy = response.clone();
    const seen = { status, ok, statusText, type, url, redirected, bodyUsed, headers: [...response.headers] };
    return { ...seen, text: await response.text(), used: response.bodyUsed, copy: await copy.text() };
  } catch (error) {
    return String(error);
  }
}

test('ResponseForFunctions makes what Response makes, for any body, status and headers', async () => {
  const arbitrary = {
    body: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(null, undefined, new Uint8Array([65]), 5, '\ud800')),
    status: fc.oneof(fc.integer({ min: 195, max: 605 }), fc.constantFrom(204, 205, 304, undefined, '201', 200.5, null)),
    statusText: fc.constantFrom(undefined, '', 'Fine', 'a\nb'),
    headers: fc.oneof(
      fc.constantFrom(undefined, null, 5, 'ab'),
      fc.dictionary(fc.constantFrom('a', 'Content-Type', 'set-cookie', 'b d'), fc.string({ maxLength: 3 })),
      fc.array(fc.tuple(fc.constantFrom('x', 'Set-Cookie'), fc.constantFrom('1', '2')), { maxLength: 3 }),
    ),
  };
  await fc.assert(
    fc.asyncProperty(fc.record(arbitrary), fc.boolean(), async ({ body, ...init }, isJson) => {
      const by = (constructor: typeof Response) => () =>
        isJson ? constructor.json(body, init as ResponseInit) : new constructor(body as string, init as ResponseInit);
      assert.deepEqual(await visible(by(ResponseForFunctions)), await visible(by(Response)));
    }),
    { numRuns: 300 },
  );
});

test('ResponseForFunctions gives objects that pass for a Response everywhere', async () => {
  const response = new ResponseForFunctions('text', { headers: { 'x-a': '1' } });
  assert.ok(response instanceof Response && response instanceof ResponseForFunctions);
  assert.ok(new Response('') instanceof ResponseForFunctions);
  assert.equal(Object.prototype.toString.call(response), '[object Response]');
  assert.equal(response.constructor, ResponseForFunctions);
  assert.equal(ResponseForFunctions.redirect('http://h/', 303).status, 303);
  assert.equal(ResponseForFunctions.error().status, 0);
  response.headers.set('x-b', '2');
  const again = new ResponseForFunctions(response.body, response);
  assert.deepEqual([...again.headers], [...response.headers]);
  assert.equal(await again.text(), 'text');
  assert.ok(response.bodyUsed);
  assert.equal(takeWholeResponse(response), undefined, 'its body is gone');
  class Special extends ResponseForFunctions {
    readonly special = true;
  }
  const special = new Special('sub');
  assert.ok(special.special && special instanceof Response);
  assert.equal(await special.text(), 'sub');
});

test('takeWholeResponse gives a body once, and counts as reading it', async () => {
  const response = ResponseForFunctions.json({ a: 1 }, { status: 203 });
  assert.deepEqual(takeWholeResponse(response), {
    status: 203,
    headers: ['content-type', 'application/json'],
    body: '{"a":1}',
  });
  assert.ok(response.bodyUsed);
  assert.equal(takeWholeResponse(response), undefined);
  await assert.rejects(response.text(), TypeError);
  assert.throws(() => response.clone(), TypeError);
});

test('makeRequest gives objects that pass for a Request everywhere', async () => {
  const lazy = request('{"a":1}', ['content-type', 'application/json', 'x-a', '1']);
  assert.ok(lazy instanceof Request && lazy instanceof RequestForFunctions);
  assert.equal(Object.prototype.toString.call(lazy), '[object Request]');
  assert.equal(lazy.constructor, RequestForFunctions);
  assert.deepEqual([lazy.url, lazy.method, lazy.headers.get('X-A')], ['http://h/a?b#c', 'POST', '1']);
  assert.deepEqual([lazy.redirect, lazy.mode, lazy.duplex, lazy.destination], ['follow', 'cors', 'half', '']);
  lazy.headers.set('x-a', '2');
  lazy.headers.append('x-b', '3');
  const clone = lazy.clone();
  assert.deepEqual([clone.headers.get('x-a'), clone.headers.get('x-b')], ['2', '3']);
  lazy.headers.delete('x-b');
  const copy = new RequestForFunctions(lazy, { headers: lazy.headers });
  assert.equal(copy.headers.get('x-b'), null);
  assert.deepEqual(await copy.json(), { a: 1 });
  assert.ok(lazy.bodyUsed);
  assert.equal(await clone.text(), '{"a":1}');
});

test('makeRequest lets its body be read once, in any way, before or after it became real', async () => {
  type Read = (lazy: Request) => Promise<unknown>;
  const ways: readonly (readonly [Read, unknown])[] = [
    [(lazy) => lazy.text(), '\u00e4"1"'],
    [async (lazy) => Buffer.from(await lazy.arrayBuffer()).toString(), '\ufeff\u00e4"1"'],
    [async (lazy) => Buffer.from(await lazy.bytes()).toString(), '\ufeff\u00e4"1"'],
    [async (lazy) => (await lazy.blob()).size, 8],
  ];
  for (const [read, expected] of ways) {
    for (const touch of [false, true]) {
      const lazy = request('\ufeff\u00e4"1"');
      if (touch) assert.ok(lazy.body);
      assert.equal(lazy.bodyUsed, false);
      assert.equal(await read(lazy), expected);
      assert.equal(lazy.bodyUsed, true);
      for (const [readAgain] of ways) await assert.rejects(readAgain(lazy), TypeError);
      assert.throws(() => lazy.clone(), TypeError);
      assert.throws(() => new RequestForFunctions(lazy), TypeError);
    }
  }
  await assert.rejects(request('{').json(), SyntaxError);
  assert.equal(await request().text(), '');
  assert.equal(request().body, null);
});

test('withRealRequest lets fetch send a lazy request on', async () => {
  const server = createServer((incoming, outgoing) => {
    incoming.setEncoding('utf8');
    let text = '';
    incoming.on('data', (part: string) => (text += part));
    incoming.on('end', () => outgoing.end(`${String(incoming.method)} ${String(incoming.headers['x-a'])} ${text}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const body = new RequestBody(1, nowhere);
    body.push(Buffer.from('one'), false);
    const signal = new AbortController().signal;
    const url = `http://127.0.0.1:${port}/`;
    const lazy = makeRequest({ method: 'PUT', url, headers: () => ['x-a', 'A'], body, signal: () => signal });
    const answer = withRealRequest(fetch)(lazy);
    body.push(Buffer.from('two'), true);
    assert.equal(await (await answer).text(), 'PUT A onetwo');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a Hono app that is bundled as it is runs in the shim', async () => {
  const source = `
    import { Hono } from 'hono';
    import { cors } from 'hono/cors';
    const app = new Hono();
    app.use(cors());
    app.get('/hello/:name', (c) => c.text('hello ' + c.req.param('name') + c.req.query('q')));
    app.post('/json', async (c) => c.json({ got: await c.req.json(), type: c.req.header('content-type') }, 201));
    app.get('/wait', (c) => { c.executionCtx.waitUntil(Promise.resolve()); return c.html('<p>'); });
    app.post('/raw', async (c) => c.body(c.req.raw.clone().body));
    export default app;`;
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: join(import.meta.dirname, '../../../..') },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  await using host = await ShimHost.load(outputFiles[0]?.text ?? '');
  assert.equal(await host.text({ url: 'http://h/hello/x?q=!' }), 'hello x!');
  const call = await host
    .invoke({ url: 'http://h/json', body: '{"a":1}', headers: ['content-type', 'application/json'] })
    .done();
  assert.equal(call.head?.status, 201);
  assert.equal(call.header('access-control-allow-origin'), '*');
  assert.deepEqual(JSON.parse(call.text), { got: { a: 1 }, type: 'application/json' });
  assert.equal(await host.text({ url: 'http://h/wait' }), '<p>');
  assert.equal(await host.text({ url: 'http://h/raw', body: 'raw' }), 'raw');
  assert.equal((await host.invoke({ url: 'http://h/none' }).done()).head?.status, 404);
});
