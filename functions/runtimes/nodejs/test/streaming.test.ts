import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { STREAM_WINDOW_BYTES } from '@hob/contracts/frames';
import { ShimHost } from './support/shim-host.ts';

test('Response streams chunk by chunk, before the handler knows the rest', async () => {
  await using host = await ShimHost.load(
    `let controller;
     export default {
       fetch(request) {
         const path = new URL(request.url).pathname;
         if (path === '/open') return new Response(new ReadableStream({ start(c) { controller = c; } }));
         if (path === '/close') controller.close(); else controller.enqueue(new TextEncoder().encode(path));
         return new Response(null, { status: 204 });
       },
     };`,
  );
  const call = host.invoke({ url: 'http://h/open' });
  await call.until(() => call.head !== undefined);
  assert.equal(call.bodyBytes, 0);
  for (const path of ['/one', '/two']) {
    const before = call.bodyBytes;
    assert.equal((await host.invoke({ url: `http://h${path}` }).done()).head?.status, 204);
    await call.until(() => call.bodyBytes > before);
  }
  await host.text({ url: 'http://h/close' });
  await call.done();
  assert.equal(call.text, '/one/two');
});

test('Response with a stream waits for credit, for whatever sizes of chunk', async () => {
  await using host = await ShimHost.load(
    `globalThis.pulled = 0;
     export default (request) => {
       if (request.url.endsWith('pulled')) return new Response(String(pulled));
       pulled = 0;
       const size = Number(new URL(request.url).searchParams.get('size'));
       return new Response(new ReadableStream({
         pull(c) { pulled += size; if (pulled > 4e6) c.close(); else c.enqueue(new Uint8Array(size).fill(pulled / size)); },
       }, { highWaterMark: 0 }));
     };`,
  );
  for (const size of [1000, 65_536, 1_500_000]) {
    const call = host.invoke({ url: `http://h/?size=${size}`, creditsByHand: true });
    await call.until(() => call.bodyBytes === STREAM_WINDOW_BYTES);
    const pulled = Number(await host.text({ url: 'http://h/pulled' }));
    assert.ok(pulled <= Math.ceil(STREAM_WINDOW_BYTES / size) * size + size, `${pulled} pulled`);
    assert.equal(call.bodyBytes, STREAM_WINDOW_BYTES);
    call.grant(5);
    await call.until(() => call.bodyBytes === STREAM_WINDOW_BYTES + 5);
    call.cancel('disconnected');
    await call.failed();
  }
});

test('Response with a known body over the window waits for credit and arrives complete', async () => {
  await using host = await ShimHost.load(
    `import { randomBytes, createHash } from 'node:crypto';
     const text = randomBytes(750_000).toString('hex'), bytes = randomBytes(3_000_000);
     const sum = (data) => createHash('sha256').update(data).digest('hex');
     export default (request) => request.url.endsWith('text')
       ? new Response(text, { headers: { 'x-sum': sum(text) } }) : new Response(bytes, { headers: { 'x-sum': sum(bytes) } });`,
  );
  for (const path of ['text', 'bytes']) {
    const call = host.invoke({ url: `http://h/${path}`, creditsByHand: true });
    await call.until(() => call.bodyBytes === STREAM_WINDOW_BYTES);
    call.grant(10_000_000);
    await call.done();
    assert.equal(createHash('sha256').update(Buffer.concat(call.chunks)).digest('hex'), call.header('x-sum'));
  }
});

test('Request body streams in, and credit is given as it is read', async () => {
  await using host = await ShimHost.load(
    `import { createHash } from 'node:crypto';
     let go; const gate = new Promise((resolve) => { go = resolve; });
     export default async (request) => {
       if (request.method === 'GET') { go(); return new Response('ok'); }
       const reader = request.body.getReader();
       await gate;
       const hash = createHash('sha256');
       for (;;) { const { done, value } = await reader.read(); if (done) break; hash.update(value); }
       return new Response(hash.digest('hex'));
     };`,
  );
  const call = host.invoke({ body: 'later' });
  const chunk = randomBytes(STREAM_WINDOW_BYTES / 4);
  for (let at = 0; at < 4; at += 1) call.write(chunk);
  await host.text();
  assert.ok(call.grantedBytes <= STREAM_WINDOW_BYTES);
  await call.until(() => call.grantedBytes >= STREAM_WINDOW_BYTES / 2);
  for (let at = 0; at < 4; at += 1) {
    const before = call.grantedBytes;
    call.write(chunk);
    call.write(chunk);
    await call.until(() => call.grantedBytes > before);
  }
  call.write('end', true);
  await call.done();
  const expected = createHash('sha256');
  for (let at = 0; at < 12; at += 1) expected.update(chunk);
  assert.equal(call.text, expected.update('end').digest('hex'));
});

test('Request body that nobody reads gets no credit, and does not keep the invocation from ending', async () => {
  await using host = await ShimHost.load(`export default () => new Response('unread');`);
  const call = host.invoke({ body: 'later' });
  call.write(new Uint8Array(STREAM_WINDOW_BYTES));
  await call.done();
  assert.equal(call.text, 'unread');
  call.write('more', true);
  assert.equal(call.grantedBytes, 0);
  assert.equal(await host.text(), 'unread');
});

test('Request body that is cancelled is drained: credit comes for all that follows', async () => {
  await using host = await ShimHost.load(
    `export default async (request) => {
       await request.body.cancel();
       await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
       return new Response('never');
     };`,
  );
  const call = host.invoke({ body: 'later' });
  let sent = 0;
  const chunk = new Uint8Array(STREAM_WINDOW_BYTES / 2);
  for (let at = 0; at < 8; at += 1) {
    call.write(chunk);
    sent += chunk.byteLength;
    await call.until(() => call.grantedBytes >= sent);
  }
  call.cancel('cancelled');
  await call.failed();
});

test('Request body echoes through a pipe in both directions at once', async () => {
  await using host = await ShimHost.load(
    `export default (request) => new Response(request.body.pipeThrough(new TransformStream({
       transform(chunk, controller) { controller.enqueue(chunk.map((byte) => byte ^ 1)); } })));`,
  );
  const call = host.invoke({ body: 'later' });
  for (let at = 0; at < 20; at += 1) {
    call.write(new Uint8Array(10_000).fill(at));
    await call.until(() => call.bodyBytes === (at + 1) * 10_000);
  }
  call.write('', true);
  await call.done();
  assert.equal(call.chunks.at(-1)?.byteLength, 0);
  assert.ok(call.bodyEnded);
});

test('Response body that fails, or has chunks of another type, ends in ERROR after HEAD', async () => {
  await using host = await ShimHost.load(
    `export default (request) => new Response(new ReadableStream({
       pull(c) { if (request.url.endsWith('type')) c.enqueue('text'); else throw new RangeError('source broke'); } }));`,
  );
  const call = host.invoke();
  assert.equal((await call.failed()).name, 'RangeError');
  assert.deepEqual(call.frames, ['HEAD', 'ERROR']);
  assert.match((await host.invoke({ url: 'http://h/type' }).failed()).message, /Uint8Array/);
});

test('CANCEL aborts ctx.signal and request.signal, fails the request body, cancels the response body', async () => {
  await using host = await ShimHost.load(
    `const seen = [];
     export default {
       async fetch(request, env, ctx) {
         const path = new URL(request.url).pathname;
         if (path === '/seen') return Response.json(seen);
         ctx.signal.addEventListener('abort', () => seen.push('ctx ' + ctx.signal.reason.name));
         request.signal.addEventListener('abort', () => seen.push('request ' + request.signal.aborted));
         if (path === '/body') request.text().catch((error) => seen.push('body ' + error.name));
         if (path === '/wait') await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
         return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1)); return new Promise(() => {}); },
           cancel(reason) { seen.push('stream ' + reason.name); } }));
       },
     };`,
  );
  const call = host.invoke({ url: 'http://h/body', body: 'later' });
  call.write('part');
  await call.until(() => call.bodyBytes > 0);
  call.cancel('disconnected');
  assert.equal((await call.failed()).name, 'AbortError');
  const seen = JSON.parse(await host.text({ url: 'http://h/seen' })) as string[];
  assert.deepEqual(seen.sort(), ['body AbortError', 'ctx AbortError', 'request true', 'stream AbortError']);
  const waiting = host.invoke({ url: 'http://h/wait' });
  await host.text({ url: 'http://h/seen' });
  waiting.cancel('cancelled');
  assert.equal((await waiting.failed()).name, 'AbortError');
  assert.equal(waiting.head, undefined);
});

test('ctx.signal is aborted with a TimeoutError graceMs before the deadline, and a late answer still counts', async () => {
  await using host = await ShimHost.load(
    `export default async (request, ctx) => {
       if (request.url.endsWith('ping')) return new Response('pong');
       await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
       return Response.json([ctx.signal.reason.name, request.signal.reason === ctx.signal.reason, ctx.deadline > Date.now()]);
     };`,
  );
  assert.equal(await host.text({ timeoutMs: 60_000, graceMs: 59_950 }), '["TimeoutError",true,true]');
  assert.equal(await host.text({ timeoutMs: 60_000, graceMs: 60_000 }), '["TimeoutError",true,true]');
  const call = host.invoke();
  await host.text({ url: 'http://h/ping' });
  call.cancel('timeout');
  assert.equal((await call.done()).text, '["TimeoutError",true,true]');
});

test('ctx.waitUntil keeps the invocation open after its body, and its failure is only logged', async () => {
  await using host = await ShimHost.load(
    `let finish;
     export default (request, { waitUntil }) => {
       if (request.url.endsWith('finish')) { finish(); return new Response('finished'); }
       waitUntil(new Promise((resolve) => { finish = resolve; }).then(() => {
         waitUntil(Promise.reject(new Error('background')));
       }));
       return new Response('early');
     };`,
  );
  const call = host.invoke();
  await call.until(() => call.bodyEnded);
  assert.equal(await host.text({ url: 'http://h/finish' }), 'finished');
  await call.done();
  assert.deepEqual(call.frames, ['HEAD', 'BODY', 'DONE']);
  assert.match(host.logs[0] ?? '', /^1 stderr waitUntil: Error: background/);
});

test('Shim answers HEAD requests and null bodies without body frames', async () => {
  await using host = await ShimHost.load(
    `export default (request) => request.url.endsWith('bytes') ? new Response(new Uint8Array(9))
       : request.url.endsWith('null') ? new Response(null, { status: 204 }) : new Response('12345');`,
  );
  const call = await host.invoke({ method: 'HEAD' }).done();
  assert.deepEqual([call.frames, call.header('content-length')], [['HEAD', 'DONE'], '5']);
  assert.deepEqual((await host.invoke({ method: 'HEAD', url: 'http://h/bytes' }).done()).frames, ['HEAD', 'DONE']);
  assert.deepEqual((await host.invoke({ url: 'http://h/null' }).done()).frames, ['HEAD', 'DONE']);
});

test('Shim keeps each Set-Cookie apart and gives repeated request headers joined', async () => {
  await using host = await ShimHost.load(
    `export default (request) => {
       const headers = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x', request.headers.get('y')]]);
       return new Response('', { headers });
     };`,
  );
  const call = await host.invoke({ headers: ['y', '1', 'y', '2'] }).done();
  const headers = call.head?.headers ?? [];
  const cookies = headers.filter((_, at) => headers[at - 1] === 'set-cookie' && at % 2 === 1);
  assert.deepEqual([cookies, call.header('x')], [['a=1', 'b=2'], '1, 2']);
});

test('Shim answers 1000 calls in a row and 64 at once, each with its own answer', async () => {
  await using host = await ShimHost.load(
    `import { setImmediate } from 'node:timers/promises';
     export default async (request) => {
       const text = await request.text();
       if (text.endsWith('0')) await setImmediate();
       return new Response(text + new URL(request.url).pathname);
     };`,
  );
  for (let at = 0; at < 1000; at += 1) {
    assert.equal(await host.text({ url: `http://h/${at}`, body: String(at) }), `${at}/${at}`);
    host.calls.clear();
  }
  const texts = Array.from({ length: 64 }, (_, at) => host.text({ url: `http://h/${at}`, body: String(at) }));
  assert.deepEqual(
    await Promise.all(texts),
    Array.from({ length: 64 }, (_, at) => `${at}/${at}`),
  );
});

test('Response bodies of many calls wait in the function for a host that does not read, not in memory of the shim', async () => {
  await using host = await ShimHost.load(
    `const text = 'x'.repeat(200_000);
     const stream = () => new ReadableStream({
       start(c) { this.left = 20; },
       pull(c) { if (this.left-- === 0) c.close(); else c.enqueue(new TextEncoder().encode(text.slice(0, 10_000))); },
     });
     export default (request) => new Response(request.url.endsWith('stream') ? stream() : text);`,
  );
  const invoke = (at: number) => host.invoke({ url: `http://h/${at % 2 === 0 ? 'whole' : 'stream'}` });
  const rssMb = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${host.child.pid}/status`, 'utf8'))?.[1]) / 1024;
  for (let at = 0; at < 20; at += 1) await invoke(at).done();
  const before = rssMb();
  host.pause();
  const calls = Array.from({ length: 200 }, (_, at) => invoke(at));
  await host.idle();
  const grownMb = rssMb() - before;
  assert.ok(grownMb < 20, `200 answers of 200 kB took ${grownMb.toFixed(1)} MB`);
  host.resume();
  for (const call of calls) assert.equal((await call.done()).bodyBytes, 200_000);
});

test('Shim ignores frames of streams that it does not know', async () => {
  await using host = await ShimHost.load(`export default () => new Response('ok');`);
  const call = await host.invoke().done();
  call.write('late', true);
  call.grant(1);
  call.cancel('disconnected');
  assert.equal(await host.text(), 'ok');
});
