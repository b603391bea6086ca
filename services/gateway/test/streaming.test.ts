import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { STREAM_WINDOW_BYTES } from '@hob/contracts';
import { headOf } from './fakes/fake-invoker.ts';
import { parseResponse, RawClient } from './fakes/raw-client.ts';
import { startGateway, through, until } from './fakes/test-gateway.ts';

const post = 'POST /fn/hello HTTP/1.1\r\nhost: a\r\n';
const MIB = 1024 * 1024;

test('/fn streams a request body as it comes, in chunks or with a length', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = () => undefined;
  for (const [head, first, second] of [
    ['content-length: 6\r\n\r\n', 'abc', 'def'],
    ['transfer-encoding: chunked\r\n\r\n', '3\r\nabc\r\n', '3\r\ndef\r\n0\r\n\r\n'],
  ] as const) {
    using client = await RawClient.open(hob.port);
    client.send(post + head);
    const before = hob.invoker.calls.length;
    await until(() => hob.invoker.calls.length > before, 'the call starts before its body');
    const { last } = hob.invoker;
    assert.equal(last.request.hasBody, true);
    client.send(first);
    await until(() => last.body.toString() === 'abc', 'the first half is there');
    assert.equal(last.ended, false);
    client.send(second);
    await until(() => last.ended, 'the body is complete');
    assert.equal(last.body.toString(), 'abcdef');
    assert.equal(last.header('transfer-encoding'), undefined);
  }
});

test('/fn gives no body of GET and HEAD to a function', async () => {
  await using hob = await startGateway();
  using client = await RawClient.open(hob.port);
  client.send('GET /fn/hello/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc');
  client.send('GET /fn/hello/2 HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => hob.invoker.calls.length === 2, 'the connection went on behind the body');
  const [first] = hob.invoker.calls;
  assert.equal(first?.request.hasBody, false);
  assert.equal(first?.header('content-length'), undefined);
  assert.equal(first?.body.byteLength, 0);
});

test('/fn sends the head of a stream before its first bytes, and each part as it comes', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.sink.head(headOf(200, ['content-type', 'text/event-stream']));
  using client = await RawClient.open(hob.port);
  client.send('GET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n');
  await client.seen('text/event-stream');
  const { sink } = hob.invoker.last;
  for (const part of ['data: 1\n\n', 'data: 2\n\n']) {
    assert.equal(sink.chunk(Buffer.from(part)), true);
    await client.seen(part);
  }
  sink.end();
  await client.seen('0\r\n\r\n');
});

test('/fn sends a small response in one write, with its length', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.answer(200, [], 'caf\u00e9 \u{1f525}');
  const response = await fetch(`${hob.url}/fn/hello`);
  assert.equal(response.headers.get('content-length'), '10');
  assert.equal(await response.text(), 'caf\u00e9 \u{1f525}');
});

test('/fn carries any bytes unchanged, small and large', async () => {
  await using hob = await startGateway();
  for (const bytes of [0, 1, 16 * 1024, 16 * 1024 + 1, 3 * MIB]) {
    const body = Buffer.alloc(bytes, Buffer.from(Array.from({ length: 256 }, (_, at) => at)));
    hob.invoker.onCall = () => undefined;
    const before = hob.invoker.calls.length;
    const fetched = fetch(`${hob.url}/fn/hello`, { method: 'POST', body });
    await until(() => hob.invoker.calls.length > before, 'the call has started');
    const { last } = hob.invoker;
    await until(() => last.ended || bytes === 0, 'the whole body was read');
    assert.ok(last.body.equals(body), `${bytes} bytes there`);
    last.sink.head(headOf(200));
    last.sink.chunk(body);
    last.sink.end();
    const response = await fetched;
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(body), `${bytes} bytes back`);
  }
});

test('/fn gives every reader its own bytes, quick or slow, though memory for them is used again', async () => {
  await using hob = await startGateway();
  // As the driver lends it: it is overwritten as soon as it was taken.
  const lent = Buffer.alloc(400 * 1024);
  const slow = { chunks: 24, bytes: lent.byteLength };
  const quick = { chunks: 1, bytes: 64 * 1024 };
  hob.invoker.onCall = ({ request, sink }) => {
    const url = new URL(request.url);
    const { chunks, bytes } = url.pathname.includes('slow') ? slow : quick;
    sink.head(headOf(200));
    for (let count = 0; count < chunks; count += 1) {
      lent.fill(Number(url.searchParams.get('byte')));
      sink.chunk(lent.subarray(0, bytes));
    }
    sink.end();
  };
  const isAll = (body: Uint8Array, byte: number, { chunks, bytes }: typeof slow): boolean =>
    Buffer.alloc(chunks * bytes, byte).equals(body);
  const slowBytes = [1, 2, 3];
  const waiting = await Promise.all(slowBytes.map((byte) => fetch(`${hob.url}/fn/hello/slow?byte=${byte}`)));
  for (let byte = 10; byte < 50; byte += 1) {
    const answer = await fetch(`${hob.url}/fn/hello/quick?byte=${byte}`);
    assert.ok(isAll(await answer.bytes(), byte, quick));
  }
  for (const [at, answer] of waiting.entries()) assert.ok(isAll(await answer.bytes(), slowBytes[at] ?? 0, slow));
});

test('/fn stops reading a body while the container takes no more', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => (call.takesMore = false);
  const request = httpRequest(`${hob.url}/fn/hello`, { method: 'POST' });
  request.on('error', () => undefined);
  const total = 32 * MIB;
  let sent = 0;
  const feed = (): void => {
    while (sent < total) {
      sent += MIB;
      if (!request.write(Buffer.alloc(MIB))) return void request.once('drain', feed);
    }
    request.end();
  };
  feed();
  await until(() => hob.invoker.calls.length === 1 && hob.invoker.last.chunks.length > 0, 'the first chunk is there');
  const { last } = hob.invoker;
  // The client is stopped by the full buffers of the kernel, far from the end of the body.
  let before = -1;
  await until(() => {
    const still = sent === before;
    before = sent;
    return still;
  }, 'the client is stopped');
  assert.ok(sent < total);
  if (through.worker) assert.ok(last.body.byteLength <= STREAM_WINDOW_BYTES, `${last.body.byteLength} bytes`);
  else assert.equal(last.chunks.length, 1);
  last.takesMore = true;
  last.sink.drain();
  await until(() => last.ended, 'the whole body is through');
  assert.equal(last.body.byteLength, total);
  last.answer(200);
  await new Promise((resolve) => request.once('response', (response) => resolve(response.resume())));
});

test('/fn holds a function back while the client reads no more', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.sink.head(headOf(200));
  using client = await RawClient.open(hob.port);
  client.send('GET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n');
  await client.seen('chunked');
  client.socket.pause();
  const { last } = hob.invoker;
  let written = 0;
  await until(() => {
    written += 1;
    return !last.sink.chunk(Buffer.alloc(MIB, 97));
  }, 'the connection is full');
  assert.equal(last.resumed, 0);
  client.socket.resume();
  await until(() => last.resumed === 1, 'the function may go on');
  last.sink.end();
  await client.seen('0\r\n\r\n');
  assert.equal(client.text.split('a'.repeat(1000)).length - 1 > written * 1000, true);
});

test('/fn cancels a call when its client has gone, before and during the response', async () => {
  await using hob = await startGateway();
  for (const answers of [false, true]) {
    hob.invoker.onCall = (call) => {
      if (answers) call.sink.head(headOf(200));
    };
    const before = hob.invoker.calls.length;
    const client = await RawClient.open(hob.port);
    client.send(`${post}content-length: 10\r\n\r\nabc`);
    await until(() => hob.invoker.calls.length > before, 'the call has started');
    if (answers) await client.seen('200 OK');
    client.socket.destroy();
    const { last } = hob.invoker;
    await until(() => last.cancelled === 'disconnected', 'the call is cancelled');
    // What comes late does no harm.
    last.sink.chunk(Buffer.from('late'));
    last.sink.end();
  }
});

test('/fn cancels nothing when the response was complete', async () => {
  await using hob = await startGateway();
  const client = await RawClient.open(hob.port);
  client.send('GET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n');
  await client.seen('hello');
  client.socket.destroy();
  await hob.gateway.close();
  assert.equal(hob.invoker.last.cancelled, undefined);
});

test('/fn refuses a body over the limit, declared or counted', async () => {
  await using hob = await startGateway({ bodyBytesMax: 1000 });
  hob.invoker.onCall = () => undefined;
  using declared = await RawClient.open(hob.port);
  declared.send(`${post}content-length: 1001\r\n\r\n`);
  await declared.seen('ERR_HTTP_BODY_TOO_LARGE');
  assert.equal(hob.invoker.calls.length, 0);

  using counted = await RawClient.open(hob.port);
  counted.send(`${post}transfer-encoding: chunked\r\n\r\n3e8\r\n${'x'.repeat(1000)}\r\n`);
  await until(() => hob.invoker.calls.length === 1 && hob.invoker.last.body.byteLength === 1000, 'as much as allowed');
  counted.send('1\r\nx\r\n');
  await counted.seen('ERR_HTTP_BODY_TOO_LARGE');
  assert.equal(parseResponse(counted.text).status, 413);
  assert.equal(hob.invoker.last.cancelled, 'cancelled');
  assert.equal(hob.invoker.last.body.byteLength, 1000);
  counted.send('0\r\n\r\n');
  await counted.all();
});

test('/fn closes the connection of a refused body that never ends', async () => {
  await using hob = await startGateway({ bodyBytesMax: 1000, lingerMs: 50 });
  using client = await RawClient.open(hob.port);
  client.send(`${post}content-length: 1000000000\r\n\r\n`);
  assert.equal(parseResponse(await client.all()).status, 413);
});

test('/fn counts a body also after the response, and cuts it at the limit', async () => {
  await using hob = await startGateway({ bodyBytesMax: 1000 });
  using client = await RawClient.open(hob.port);
  client.send(`${post}transfer-encoding: chunked\r\n\r\n`);
  await client.seen('hello');
  client.send(`3e9\r\n${'x'.repeat(1001)}\r\n`);
  await client.all();
  assert.equal(hob.invoker.last.cancelled, undefined);
});

test('/fn answers `expect: 100-continue` only when it takes the body', async () => {
  await using hob = await startGateway({ bodyBytesMax: 1000 });
  hob.invoker.onCall = () => undefined;
  using accepted = await RawClient.open(hob.port);
  accepted.send(`${post}expect: 100-continue\r\ncontent-length: 3\r\n\r\n`);
  await accepted.seen('HTTP/1.1 100 Continue\r\n\r\n');
  accepted.send('abc');
  await until(() => hob.invoker.last.ended, 'the body is there');
  assert.equal(hob.invoker.last.header('expect'), undefined);
  using refused = await RawClient.open(hob.port);
  refused.send(`${post}expect: 100-continue\r\ncontent-length: 1001\r\n\r\n`);
  await refused.seen('413');
  assert.ok(!refused.text.includes('100 Continue'));
});

test('/fn takes nothing behind a refused `expect: 100-continue` for a request, or for its body', async () => {
  await using hob = await startGateway({ lingerMs: 50 });
  using client = await RawClient.open(hob.port);
  client.send('POST /fn/nope HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n');
  await client.seen('ERR_FN_NOT_FOUND');
  client.send('GET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.match(await client.all(), /connection: close/i);
  assert.equal(hob.invoker.calls.length, 0);
});

test('/fn lets a connection idle out whose body ended after its answer', async () => {
  await using hob = await startGateway({ keepAliveMs: 60 });
  using client = await RawClient.open(hob.port);
  client.send(`${post}content-length: 10\r\n\r\nabc`);
  await client.seen('hello');
  client.send('defghij');
  await until(() => hob.invoker.last.ended, 'the body is complete');
  await client.all();
});

test('/fn closes a connection whose body stalls, but not while the container is what stalls', async () => {
  await using hob = await startGateway({ bodyIdleMs: 30 });
  hob.invoker.onCall = (call) => (call.takesMore = false);
  using held = await RawClient.open(hob.port);
  // More than a worker takes ahead of the container.
  held.send(`${post}content-length: ${3 * MIB}\r\n\r\n${'a'.repeat(2 * MIB)}`);
  await until(() => hob.invoker.calls.length === 1 && hob.invoker.last.body.byteLength > 0, 'the container is full');
  const full = hob.invoker.last;
  hob.invoker.onCall = () => undefined;
  using stalled = await RawClient.open(hob.port);
  stalled.send(`${post}content-length: 10\r\n\r\nabc`);
  await stalled.all();
  await until(() => hob.invoker.last.cancelled === 'disconnected', 'it is cancelled');
  assert.equal(full.cancelled, undefined);
  assert.equal(held.closed, false);
});
