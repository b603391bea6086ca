import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJson, FrameType } from '@hob/contracts/frames';
import { ShimHost } from './support/shim-host.ts';

async function loadFailure(source: string): Promise<Record<string, unknown>> {
  await using host = await ShimHost.start();
  host.claim(source);
  await host.until(() => host.frames.some(({ type }) => type === FrameType.LOAD_FAILED));
  const frame = host.frames.find(({ type }) => type === FrameType.LOAD_FAILED);
  assert.ok(frame);
  assert.equal((await host.exited).code, 1);
  return decodeJson(frame);
}

test('Shim serves export default { fetch } as a method, with environment and context', async () => {
  await using host = await ShimHost.load(
    `export default {
      greeting: 'hi',
      async fetch(request, env, ctx) {
        return new Response([this.greeting, env.NAME, request.method, new URL(request.url).pathname,
          request.headers.get('x-a'), ctx.functionName, ctx.functionVersion, ctx.invocationId].join(' '),
          { status: 201, headers: { 'x-b': '1' } });
      },
    };`,
    { NAME: 'env' },
  );
  const call = await host.invoke({ url: 'http://h/p?q', headers: ['x-a', 'A'] }).done();
  assert.equal(call.text, 'hi env GET /p A test 7 id-1');
  assert.equal(call.head?.status, 201);
  assert.equal(call.header('x-b'), '1');
  assert.equal(call.header('content-type'), 'text/plain;charset=UTF-8');
  assert.equal(call.header('content-length'), String(call.text.length));
  assert.deepEqual(call.frames, ['HEAD', 'BODY', 'DONE']);
});

test('Shim serves export default function and an instance that has fetch', async () => {
  const direct = await ShimHost.load('export default (request, ctx) => new Response(request.url + ctx.invocationId);');
  await using _direct = direct;
  assert.equal(await direct.text({ url: 'http://h' }), 'http://h/id-1');
  await using instance = await ShimHost.load(
    'class App { #n = 3; fetch = () => new Response(String(this.#n)); } export default new App();',
  );
  assert.equal(await instance.text(), '3');
});

test('Shim serves handler(event, context) with JSON in and out', async () => {
  await using host = await ShimHost.load(
    `export const handler = async (event, context) => ({ event: event ?? 'none', left: context.getRemainingTimeInMillis() > 0,
      id: context.awsRequestId });
     export default { fetch() { return new Response('not this'); } };`,
  );
  const call = await host.invoke({ body: '{"a":"ü"}' }).done();
  assert.deepEqual(JSON.parse(call.text), { event: { a: 'ü' }, left: true, id: 'id-1' });
  assert.equal(call.head?.status, 200);
  assert.equal(call.header('content-type'), 'application/json');
  assert.deepEqual(JSON.parse(await host.text()), { event: 'none', left: true, id: 'id-2' });
});

test('Shim refuses a body that is not JSON for handler(event, context)', async () => {
  await using host = await ShimHost.load('export const handler = (event) => event;');
  const failure = await host.invoke({ body: '{"a":' }).failed();
  assert.equal(failure.kind, 'bad-event');
  assert.equal(await host.text({ body: '[1]' }), '[1]');
  assert.equal(await host.text(), 'null');
});

test('Shim passes a Response of handler(event, context) through and refuses what JSON cannot hold', async () => {
  await using host = await ShimHost.load(
    `export const handler = (event) => event === 1 ? new Response('r', { status: 418 }) : 10n;`,
  );
  const call = await host.invoke({ body: '1' }).done();
  assert.equal(call.head?.status, 418);
  assert.equal((await host.invoke({ body: '2' }).failed()).kind, 'bad-response');
});

test('Shim finds handlers in a CommonJS default export', async () => {
  for (const [exported, expected] of [
    ['{ handler: (event) => [event] }', '[1]'],
    ['{ fetch: (request) => new Response(request.method) }', 'POST'],
    ['{ default: () => new Response("d") }', 'd'],
    ['{ default: { fetch: () => new Response("df") } }', 'df'],
  ]) {
    await using host = await ShimHost.load(`export default ${exported};`);
    assert.equal(await host.text({ body: '1' }), expected);
  }
});

test('Shim names the three forms when there is no handler', async () => {
  for (const source of ['', 'export const x = 1;', 'export default class { fetch() {} }', 'export default 3;']) {
    const failure = await loadFailure(source);
    assert.match(
      String(failure['message']),
      /fetch\(request, env, ctx\).*\(request, ctx\) => Response.*handler = async/,
    );
  }
});

test('Shim reports code that does not parse, does not link, or throws while it is loaded', async () => {
  const syntax = await loadFailure('export default {\n  fetch( { }\n};');
  assert.equal(syntax['name'], 'SyntaxError');
  const link = await loadFailure('import { nothing } from "node:fs"; export default () => nothing;');
  assert.match(String(link['message']), /nothing/);
  const missing = await loadFailure('import x from "no-such-package"; export default x;');
  assert.match(String(missing['message']), /no-such-package/);
  const thrown = await loadFailure('\n\nthrow new RangeError("top");');
  assert.equal(thrown['name'], 'RangeError');
  assert.match(String(thrown['stack']), /RangeError: top\n\s+at file:\/\/\/var\/task\/index\.mjs:3:7/);
});

test('Shim links builtins, static and dynamic, and fills import.meta', async () => {
  await using host = await ShimHost.load(
    `import fs, { readFileSync } from 'node:fs';
     import { join } from 'path';
     import * as os from 'node:os';
     export default async () => {
       const dynamic = await import('node:fs');
       const require = (await import('node:module')).createRequire(import.meta.url);
       return Response.json([fs.readFileSync === readFileSync, dynamic.readFileSync === readFileSync, join('a', 'b'),
         typeof os.cpus, import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve('./x.js'),
         require('node:fs') === fs]);
     };`,
  );
  assert.deepEqual(JSON.parse(await host.text()), [
    ...[true, true, 'a/b', 'function', 'file:///var/task/index.mjs', '/var/task/index.mjs', '/var/task'],
    ...['file:///var/task/x.js', true],
  ]);
});

test('Shim reports what a handler throws, with positions in the bundle and without its own frames', async () => {
  await using host = await ShimHost.load(
    `function deep() { throw new TypeError('broken', { cause: new Error('why') }); }
export default async (request) => {
  const path = new URL(request.url).pathname;
  if (path === '/string') throw 'text';
  if (path === '/null') throw null;
  if (path === '/evil') throw { get name() { throw 1; }, get message() { throw 1; }, stack: 1 };
  await null;
  deep();
};`,
  );
  const failure = await host.invoke().failed();
  assert.equal(failure.kind, 'threw');
  assert.equal(failure.name, 'TypeError');
  assert.equal(failure.message, 'broken');
  assert.match(failure.stack, /^TypeError: broken\n {4}at deep \(file:\/\/\/var\/task\/index\.mjs:1:25\)/);
  assert.match(failure.stack, /at .*file:\/\/\/var\/task\/index\.mjs:8:3/);
  assert.match(failure.stack, /\[cause\]: Error: why/);
  assert.doesNotMatch(failure.stack, /bundle\.cjs/);
  assert.equal((await host.invoke({ url: 'http://h/string' }).failed()).message, 'text');
  assert.equal((await host.invoke({ url: 'http://h/null' }).failed()).message, 'null');
  assert.equal((await host.invoke({ url: 'http://h/evil' }).failed()).kind, 'threw');
});

test('Shim refuses results that are no usable Response', async () => {
  await using host = await ShimHost.load(
    `export default async (request) => {
      switch (new URL(request.url).pathname) {
        case '/error': return Response.error();
        case '/used': { const r = new Response('x'); await r.text(); return r; }
        case '/stream-used': { const r = new Response(new Uint8Array(3)); await r.text(); return r; }
        case '/object': return { status: 200 };
        case '/big': return new Response(null, { headers: { a: 'x'.repeat(2e6) } });
      }
    };`,
  );
  for (const path of ['error', 'used', 'stream-used', 'object', 'big', 'undefined']) {
    const failure = await host.invoke({ url: `http://h/${path}` }).failed();
    assert.equal(failure.kind, 'bad-response', path);
  }
});

test('Shim accepts the code cache that COMPILE made in another process, and reports one that V8 refuses', async () => {
  const functions = Array.from({ length: 50 }, (_, at) => `function f${at}() { return ${at}; }`).join('\n');
  const source = `${functions}\nglobalThis.ran = true; export default () => new Response(String(f49()));`;
  await using compiler = await ShimHost.start();
  compiler.compile(source);
  const cache = (await compiler.frame(FrameType.CACHE)).payload;
  assert.ok(cache.byteLength > 100);
  for (const [bytes, rejected] of [
    [cache, false],
    [cache.map((byte, at) => (at < 32 ? byte ^ 0xff : byte)), true],
  ] as const) {
    await using host = await ShimHost.start();
    host.claim(source, { cache: bytes });
    assert.deepEqual(decodeJson(await host.frame(FrameType.LOADED)), { cacheRejected: rejected });
    assert.equal(await host.text(), '49');
  }
});
