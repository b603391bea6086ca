import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHobError } from '@hob/contracts';
import { gatewayLimits } from '../src/gateway-limits.ts';
import { headOf } from './fakes/fake-invoker.ts';
import { parseResponse, RawClient, rawRequest } from './fakes/raw-client.ts';
import { startGateway, TOKEN, until } from './fakes/test-gateway.ts';

const get = 'GET /fn/hello HTTP/1.1\r\nhost: a\r\n';
const codeOf = (text: string): string => (JSON.parse(parseResponse(text).body) as { code: string }).code;

test('gatewayLimits() fills in defaults and refuses what is unknown or out of range', () => {
  assert.equal(gatewayLimits().bodyBytesMax, 64 * 1024 * 1024);
  assert.equal(gatewayLimits({ drainMs: 5 }).drainMs, 5);
  const unknown: Record<string, number> = { drainSeconds: 5 };
  for (const bad of [{ drainMs: 0 }, { requestsMax: 1.5 }, unknown]) {
    assert.throws(() => gatewayLimits(bad), { code: 'ERR_CONFIG_INVALID', message: /gateway limits/ });
  }
});

test('HttpFront answers requests with large headers 431 and long URLs 414', async () => {
  await using hob = await startGateway({ headerBytesMax: 2048, urlBytesMax: 300 });
  const large = await rawRequest(hob.port, `${get}x: ${'y'.repeat(3000)}\r\n\r\n`);
  assert.equal(parseResponse(large).status, 431);
  assert.equal(codeOf(large), 'ERR_HTTP_HEADERS_TOO_LARGE');
  const response = await fetch(`${hob.url}/fn/hello/${'x'.repeat(300)}`);
  assert.equal(response.status, 414);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  assert.equal(hob.invoker.calls.length, 0);
});

test('HttpFront passes on every header of a request that is within its size', async () => {
  await using hob = await startGateway({ headerBytesMax: 64 * 1024 });
  const many = Array.from({ length: 3000 }, (_, at) => `h${at}: v\r\n`).join('');
  await rawRequest(hob.port, `${get}${many}connection: close\r\n\r\n`);
  assert.equal(hob.invoker.last.header('h2999'), 'v');
});

test('HttpFront refuses requests over the limit with 429 and retry-after, but still answers probes', async () => {
  await using hob = await startGateway({ requestsMax: 2 });
  hob.invoker.onCall = () => undefined;
  const running = [fetch(`${hob.url}/fn/hello`), fetch(`${hob.url}/fn/hello`)];
  await until(() => hob.invoker.calls.length === 2, 'two calls run');
  for (const path of ['/fn/hello', '/v1/stats', '/nothing']) {
    const refused = await fetch(`${hob.url}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(refused.status, 429, path);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(((await refused.json()) as { code: string }).code, 'ERR_HTTP_TOO_MANY_REQUESTS');
  }
  for (const probe of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await fetch(hob.url + probe)).status, 200, probe);
  }
  for (const call of hob.invoker.calls) call.answer(200);
  await Promise.all(running);
  hob.invoker.onCall = (call) => call.answer(200);
  assert.equal((await fetch(`${hob.url}/fn/hello`)).status, 200);
});

test('HttpFront closes connections over the limit', async () => {
  await using hob = await startGateway({ connectionsMax: 1 });
  using first = await RawClient.open(hob.port);
  first.send(`${get}\r\n`);
  await first.seen('hello');
  using second = await RawClient.open(hob.port);
  await second.all();
  assert.equal(second.text, '');
});

test('HttpFront answers 408 to headers that never end', async () => {
  await using hob = await startGateway({ headersTimeoutMs: 40 });
  const text = await rawRequest(hob.port, 'GET /fn/hello HTTP/1.1\r\nhost: a\r\n');
  assert.equal(parseResponse(text).status, 408);
  assert.equal(codeOf(text), 'ERR_HTTP_REQUEST_TIMEOUT');
});

test('HttpFront closes idle connections, and those whose client reads no more of a finished response', async () => {
  await using hob = await startGateway({ keepAliveMs: 30, bodyIdleMs: 30 });
  using idle = await RawClient.open(hob.port);
  idle.send(`${get}\r\n`);
  await idle.all();
  assert.match(idle.text, /hello/);
  hob.invoker.onCall = (call) => {
    call.sink.head(headOf(200));
    call.sink.chunk(Buffer.alloc(64 * 1024 * 1024));
    call.sink.end();
  };
  using slow = await RawClient.open(hob.port);
  slow.socket.pause();
  slow.send(`${get}\r\n`);
  const stats = async (): Promise<number> => {
    const response = await fetch(`${hob.url}/v1/stats`, { headers: { authorization: `Bearer ${TOKEN}` } });
    return ((await response.json()) as { gateway: { requestsInFlight: number } }).gateway.requestsInFlight;
  };
  await until(() => hob.invoker.calls.length === 2, 'the call was made');
  let inFlight = 2;
  while (inFlight > 1) inFlight = await stats();
});

test('HttpFront refuses every request whose length can be read in two ways', async () => {
  await using hob = await startGateway();
  const smuggled = 'GET /fn/hello/smuggled HTTP/1.1\r\nhost: a\r\n\r\n';
  const heads = [
    'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n',
    'content-length: 5\r\ncontent-length: 6\r\n\r\nhello',
    'content-length: 5, 5\r\n\r\nhello',
    'content-length: +5\r\n\r\nhello',
    'content-length: 0x5\r\n\r\nhello',
    'content-length : 5\r\n\r\nhello',
    'transfer-encoding: xchunked\r\n\r\n0\r\n\r\n',
    'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n',
    'transfer-encoding : chunked\r\n\r\n0\r\n\r\n',
    'transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n',
    'transfer-encoding: chunked\r\n\r\n-1\r\n\r\n',
    'x: y\r\n folded: z\r\ncontent-length: 0\r\n\r\n',
    'x: a\0b\r\n\r\n',
    'x: a\nb: c\r\n\r\n',
  ];
  hob.invoker.onCall = (call) => {
    if (call.request.url.includes('smuggled')) call.answer(200, [], 'SMUGGLED');
  };
  for (const head of heads) {
    using client = await RawClient.open(hob.port);
    client.send(`POST /fn/hello HTTP/1.1\r\nhost: a\r\n${head}${smuggled}`);
    const text = await client.all();
    assert.ok(!text.includes('SMUGGLED'), JSON.stringify(head));
  }
  assert.ok(hob.invoker.calls.every((call) => !call.request.url.includes('smuggled')));
});

test('HttpFront answers what is no HTTP with a problem and closes', async () => {
  await using hob = await startGateway();
  for (const junk of ['\0\0\0\0', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'nonsense /fn/hello HTTP/1.1\r\n\r\n']) {
    const text = await rawRequest(hob.port, junk);
    assert.equal(parseResponse(text).status, 400, junk);
    assert.equal(codeOf(text), 'ERR_API_BAD_REQUEST');
  }
  assert.equal(parseResponse(await rawRequest(hob.port, 'GET /fn/hello HTTP/1.1\r\n\r\n')).status, 400);
  await rawRequest(hob.port, 'CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal(hob.invoker.calls.length, 0);
});

test('HttpFront serves HTTP/1.0 with a connection that ends', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => {
    call.sink.head(headOf(200));
    setImmediate(() => {
      call.sink.chunk(Buffer.from('streamed'));
      call.sink.end();
    });
  };
  const text = await rawRequest(hob.port, 'GET /fn/hello HTTP/1.0\r\n\r\n');
  assert.equal(parseResponse(text).body, 'streamed');
  assert.match(hob.invoker.last.request.url, /^http:\/\/localhost\/$/);
});

test('Gateway.close() lets running calls end, refuses new ones and turns readyz 503', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.sink.head(headOf(200));
  using started = await RawClient.open(hob.port);
  started.send(`${get}\r\n`);
  await started.seen('200 OK');
  const [first] = hob.invoker.calls;
  hob.invoker.onCall = () => undefined;
  using waiting = await RawClient.open(hob.port);
  waiting.send(`${get}\r\n`);
  await until(() => hob.invoker.calls.length === 2, 'two calls run');

  const closed = hob.gateway.close();
  assert.equal(hob.gateway.close(), closed);
  const refused = await fetch(`${hob.url}/fn/hello`, { method: 'POST', body: 'x' });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal(refused.headers.get('connection'), 'close');
  assert.equal(((await refused.json()) as { code: string }).code, 'ERR_SCHED_CLOSED');
  const readyz = await fetch(`${hob.url}/readyz`);
  assert.equal(readyz.status, 503);
  assert.deepEqual(await readyz.json(), { status: 'not-ready', reason: 'hob is shutting down' });
  assert.equal((await fetch(`${hob.url}/healthz`)).status, 200);

  hob.invoker.last.answer(200, [], 'second');
  const second = await waiting.all();
  assert.equal(parseResponse(second).body, 'second');
  assert.match(second, /connection: close/i);
  first?.sink.chunk(Buffer.from('the rest'));
  first?.sink.end();
  assert.match(await started.all(), /the rest\r\n0\r\n\r\n$/);
  await closed;
  assert.equal(hob.invoker.calls.length, 2);
  assert.equal(hob.gateway.address, undefined);
  await assert.rejects(fetch(`${hob.url}/healthz`));
});

test('Gateway.close() cuts what has not ended in time', async () => {
  await using hob = await startGateway({ drainMs: 30 });
  hob.invoker.onCall = (call) => call.sink.head(headOf(200));
  using client = await RawClient.open(hob.port);
  client.send(`${get}\r\n`);
  await client.seen('200 OK');
  await hob.gateway.close();
  await client.all();
  assert.equal(hob.invoker.last.cancelled, 'disconnected');
});

test('Gateway.listen() fails with the error of the system', async () => {
  await using hob = await startGateway();
  await using other = await startGateway();
  await other.gateway.close();
  await assert.rejects(other.gateway.listen({ host: '127.0.0.1', port: hob.port }), (error) => !isHobError(error));
});
