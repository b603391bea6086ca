import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { headOf } from './fakes/fake-invoker.ts';
import { configOf } from './fakes/fake-services.ts';
import { parseResponse, RawClient, rawRequest } from './fakes/raw-client.ts';
import { startGateway, TOKEN, until } from './fakes/test-gateway.ts';

const closing = 'host: hob.test\r\nconnection: close\r\n\r\n';

test('/fn passes method, path, query and headers on, and hob’s account back', async () => {
  await using hob = await startGateway();
  const response = await fetch(`${hob.url}/fn/hello@1/a/b?c=%20d`, { headers: { 'x-a': 'b' } });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), 'hello');
  const { last } = hob.invoker;
  assert.equal(last.request.method, 'GET');
  assert.equal(last.request.url, `${hob.url}/a/b?c=%20d`);
  assert.equal(last.request.hasBody, false);
  assert.equal(last.header('x-a'), 'b');
  assert.equal(last.header('x-forwarded-for'), '127.0.0.1');
  assert.equal(last.header('x-forwarded-proto'), 'http');
  assert.equal(last.header('x-forwarded-host'), new URL(hob.url).host);
  assert.equal(last.header('x-forwarded-prefix'), '/fn/hello@1');
  assert.equal(response.headers.get('hob-invocation-id'), last.request.id);
  assert.match(last.request.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(response.headers.get('hob-version'), '1');
  assert.equal(response.headers.get('hob-start'), 'warm');
  const timing = response.headers.get('server-timing');
  assert.equal(timing, 'queue;dur=0.25, create;dur=0.0, load;dur=0.0, run;dur=1.13');
  assert.equal(
    response.headers.get('hob-receipt'),
    'start=warm, queue-ms=0.25, create-ms=0.0, thaw-ms=0.0, load-ms=0.0, run-ms=1.13, cpu-ms=0.5, container-age-ms=1000.0, ' +
      'memory-peak-bytes=9000000, bytes-in=0, bytes-out=5, outcome=ok',
  );
});

test('/fn gives the receipt of a response that goes on without an end, and of a failure with its cause', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => {
    call.sink.head(headOf(200));
    call.sink.chunk(Buffer.from('first'));
  };
  const gone = new AbortController();
  const streamed = await fetch(`${hob.url}/fn/hello`, { signal: gone.signal });
  assert.match(streamed.headers.get('hob-receipt') ?? '', /, bytes-in=0, bytes-out=5$/);
  gone.abort();
  const { status: _status, headers: _headers, bodyless: _bodyless, ...account } = headOf(200);
  hob.invoker.onCall = (call) => {
    call.sink.fail(fail('ERR_FN_CPU_BUDGET', [10]), undefined, { ...account, cause: 'cpu-budget' });
  };
  const failed = await fetch(`${hob.url}/fn/hello`);
  assert.equal(failed.status, 502);
  assert.match(failed.headers.get('hob-receipt') ?? '', /, outcome=ERR_FN_CPU_BUDGET, cause=cpu-budget$/);
});

test('hob-receipt is a dictionary of RFC 9651', async () => {
  await using hob = await startGateway();
  const text = (await fetch(`${hob.url}/fn/hello`)).headers.get('hob-receipt') ?? '';
  const token = "[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*";
  const member = new RegExp(`^[a-z*][a-z0-9_.*-]*=(?:-?\\d{1,12}\\.\\d{1,3}|-?\\d{1,15}|${token})$`);
  for (const each of text.split(', ')) assert.match(each, member);
});

test('/fn passes every method on, TRACE excepted', async () => {
  await using hob = await startGateway();
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const text = await rawRequest(hob.port, `${method} /fn/hello HTTP/1.1\r\n${closing}`);
    assert.equal(parseResponse(text).status, 200, method);
    assert.equal(hob.invoker.last.request.method, method);
  }
  const count = hob.invoker.calls.length;
  const text = await rawRequest(hob.port, `TRACE /fn/hello HTTP/1.1\r\n${closing}`);
  assert.equal(parseResponse(text).status, 400);
  assert.equal(hob.invoker.calls.length, count);
});

test('/fn keeps duplicate headers apart in both directions', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.answer(200, ['set-cookie', 'a=1', 'set-cookie', 'b=2'], 'x');
  const text = await rawRequest(hob.port, `GET /fn/hello HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nCookie: c\r\n${closing}`);
  const cookies = parseResponse(text).headers.filter(([name]) => name === 'set-cookie');
  assert.deepEqual(
    cookies.map(([, value]) => value),
    ['a=1', 'b=2'],
  );
  const { headers } = hob.invoker.last.request;
  assert.deepEqual(headers.slice(headers.indexOf('x-a'), headers.indexOf('x-a') + 6), [
    'x-a',
    '1',
    'x-a',
    '2',
    'cookie',
    'c',
  ]);
});

test('/fn keeps hop-by-hop headers and what the connection header names from the function', async () => {
  await using hob = await startGateway();
  const hop =
    'TE: trailers\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nUpgrade: websocket\r\nx-drop: 1\r\nx-keep: 2\r\n';
  const connection = 'host: hob.test\r\nconnection: close, X-Drop, upgrade, host\r\n\r\n';
  await rawRequest(hob.port, `GET /fn/hello HTTP/1.1\r\n${hop}${connection}`);
  const names = hob.invoker.last.request.headers.filter((_, index) => index % 2 === 0);
  const forwarded = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-prefix'];
  assert.deepEqual(names, ['x-keep', 'host', ...forwarded]);
});

test('/fn drops a client’s x-forwarded headers, unless they are to be trusted', async () => {
  const sent = { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'pub.example' };
  await using plain = await startGateway();
  await fetch(`${plain.url}/fn/hello/p`, { headers: sent });
  assert.equal(plain.invoker.last.header('x-forwarded-for'), '127.0.0.1');
  assert.equal(plain.invoker.last.request.url, `${plain.url}/p`);
  await using behindProxy = await startGateway({ trustForwarded: true });
  await fetch(`${behindProxy.url}/fn/hello/p`, { headers: sent });
  const { last } = behindProxy.invoker;
  assert.equal(last.header('x-forwarded-for'), '9.9.9.9, 127.0.0.1');
  assert.equal(last.header('x-forwarded-proto'), 'https');
  assert.equal(last.request.url, 'https://pub.example/p');
});

test('/fn refuses a host that could not be part of a URL', async () => {
  await using hob = await startGateway();
  for (const host of ['a b', 'a/b', 'user@a', 'a:99999', '[::1', 'a?b', 'a:', '']) {
    const text = await rawRequest(hob.port, `GET /fn/hello HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    assert.equal(parseResponse(text).status, 400, host);
  }
  assert.equal(hob.invoker.calls.length, 0);
});

test('/fn never shows the operator’s token to a function, but other credentials', async () => {
  await using hob = await startGateway();
  await fetch(`${hob.url}/fn/hello`, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(hob.invoker.last.header('authorization'), undefined);
  assert.ok(!JSON.stringify(hob.invoker.last.request.headers).includes(TOKEN));
  await fetch(`${hob.url}/fn/hello`, { headers: { authorization: 'Bearer of-the-function' } });
  assert.equal(hob.invoker.last.header('authorization'), 'Bearer of-the-function');
});

test('/fn asks for a token when the function does', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('secret', { auth: 'token' }));
  for (const authorization of [undefined, 'Bearer wrong', `Basic ${TOKEN}`, 'Bearer']) {
    const headers = authorization === undefined ? {} : { authorization };
    const refused = await fetch(`${hob.url}/fn/secret`, { headers });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="hob"');
  }
  assert.equal(hob.invoker.calls.length, 0);
  const headers = { authorization: `bearer ${TOKEN}` };
  assert.equal((await fetch(`${hob.url}/fn/secret`, { headers })).status, 200);
});

test('/fn answers HEAD without a body and with the length that the function declares', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.answer(200, ['content-length', '5'], 'hello');
  const text = await rawRequest(hob.port, `HEAD /fn/hello HTTP/1.1\r\n${closing}`);
  const response = parseResponse(text);
  assert.equal(response.body, '');
  assert.deepEqual(
    response.headers.find(([name]) => name === 'content-length'),
    ['content-length', '5'],
  );
});

test('/fn answers 204, 205 and 304 without a body, whatever the function sends', async () => {
  await using hob = await startGateway();
  for (const [status, length] of [
    [204, undefined],
    [205, '0'],
    [304, '5'],
  ] as const) {
    hob.invoker.onCall = (call) => call.answer(status, ['content-length', '5'], 'hello');
    const response = parseResponse(await rawRequest(hob.port, `GET /fn/hello HTTP/1.1\r\n${closing}`));
    assert.equal(response.status, status);
    assert.equal(response.body, '');
    assert.equal(response.headers.find(([name]) => name === 'content-length')?.[1], length);
    assert.ok(!response.headers.some(([name]) => name.toLowerCase() === 'transfer-encoding'));
  }
});

test('/fn refuses a status that ends no response', async () => {
  await using hob = await startGateway();
  for (const status of [100, 101, 103, 199, 600, 999, 0, -1, 200.5, Number.NaN]) {
    hob.invoker.onCall = (call) => call.answer(status);
    const response = await fetch(`${hob.url}/fn/hello`);
    assert.equal(response.status, 502);
    const { code } = (await response.json()) as { code: string };
    assert.equal(code, 'ERR_FN_BAD_RESPONSE');
    await until(() => hob.invoker.last.cancelled === 'cancelled', 'it is cancelled');
  }
});

test('/fn lets no function end its head early or frame its own response', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) =>
    call.answer(
      200,
      [
        ...['x-a', 'b\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK', 'x\r\ny', 'z', 'transfer-encoding', 'chunked'],
        ...['connection', 'upgrade', 'hob-version', '99', 'x-good', '1'],
      ],
      'hello',
    );
  const text = await rawRequest(hob.port, `GET /fn/hello HTTP/1.1\r\n${closing}`);
  const { body, headers } = parseResponse(text);
  assert.equal(text.split('HTTP/1.1').length, 2);
  assert.equal(body, 'hello');
  const names = headers.map(([name]) => name.toLowerCase());
  assert.deepEqual(
    names.filter((name) => name.startsWith('x-')),
    ['x-good'],
  );
  assert.equal(names.filter((name) => name === 'content-length').length, 1);
  assert.ok(!names.includes('transfer-encoding'));
  assert.deepEqual(
    headers.filter(([name]) => name === 'hob-version'),
    [['hob-version', '1']],
  );
});

test('/fn turns a body that is not as long as declared into an error, or a broken connection', async () => {
  await using hob = await startGateway();
  for (const [declared, body] of [
    ['4', 'hello'],
    ['6', 'hello'],
    ['1', ''],
  ] as const) {
    hob.invoker.onCall = (call) => call.answer(200, ['content-length', declared], body);
    const response = await fetch(`${hob.url}/fn/hello`);
    assert.equal(response.status, 502);
    assert.equal(((await response.json()) as { code: string }).code, 'ERR_FN_BAD_RESPONSE');
  }
  for (const body of ['hell', 'hello!']) {
    hob.invoker.onCall = (call) => call.sink.head(headOf(200, ['content-length', '5']));
    using client = await RawClient.open(hob.port);
    client.send('GET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n');
    await client.seen('content-length: 5');
    hob.invoker.last.sink.chunk(Buffer.from(body));
    hob.invoker.last.sink.end();
    const text = await client.all();
    assert.ok(parseResponse(text).body.length < 5, 'never more than was declared');
    await until(() => hob.invoker.last.cancelled === 'cancelled', 'it is cancelled');
  }
});

test('/fn answers a failure before the head as a problem, after it by cutting the connection', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => {
    call.sink.head(headOf(200));
    call.sink.chunk(Buffer.from('held'));
    call.sink.fail(fail('ERR_FN_TIMEOUT', [100]), undefined);
  };
  const held = await fetch(`${hob.url}/fn/hello`);
  assert.equal(held.status, 504);
  hob.invoker.onCall = (call) => call.sink.head(headOf(200));
  using client = await RawClient.open(hob.port);
  client.send('GET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n');
  await client.seen('Transfer-Encoding: chunked');
  hob.invoker.last.sink.chunk(Buffer.from('part'));
  await client.seen('part');
  hob.invoker.last.sink.fail(fail('ERR_FN_TIMEOUT', [100]), undefined);
  const text = await client.all();
  assert.ok(!text.includes('0\r\n\r\n'), 'the body was not ended as if it were complete');
  const entry = hob.logged.find((line) => line['msg'] === 'a response was cut short');
  assert.equal(entry?.['function'], 'hello');
});

test('/fn shows what a function threw only to callers with a token', async () => {
  await using hob = await startGateway();
  const failure = { name: 'TypeError', message: 'boom', stack: 'TypeError: boom\n    at index.ts:1:1' };
  hob.invoker.onCall = (call) => call.sink.fail(fail('ERR_FN_THREW', ['TypeError', 'boom']), failure);
  const stranger = await fetch(`${hob.url}/fn/hello`);
  assert.equal(stranger.status, 502);
  assert.ok(!(await stranger.text()).includes('index.ts'));
  const known = await fetch(`${hob.url}/fn/hello`, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.deepEqual(((await known.json()) as { failure: unknown }).failure, failure);
});

test('/fn takes an end without a head, and calls after the end, without harm', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.sink.end();
  assert.equal((await fetch(`${hob.url}/fn/hello`)).status, 502);
  hob.invoker.onCall = (call) => {
    call.answer(200, [], 'once');
    call.answer(500, [], 'twice');
    call.sink.fail(fail('ERR_INTERNAL', []), undefined);
    call.sink.drain();
  };
  const response = await fetch(`${hob.url}/fn/hello`);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), 'once');
});

test('/fn answers pipelined requests in their order and forgets those whose connection broke', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = () => undefined;
  const client = await RawClient.open(hob.port);
  client.send('GET /fn/hello/1 HTTP/1.1\r\nhost: a\r\n\r\nGET /fn/hello/2 HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => hob.invoker.calls.length === 2, 'both calls have come');
  const [first, second] = hob.invoker.calls;
  second?.answer(200, [], 'two');
  first?.answer(200, [], 'one');
  await client.seen('two');
  assert.ok(client.text.indexOf('one') < client.text.indexOf('two'));
  client.send('GET /fn/hello/3 HTTP/1.1\r\nhost: a\r\n\r\nGET /fn/hello/4 HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => hob.invoker.calls.length === 4, 'two more calls have come');
  client.socket.destroy();
  const later = hob.invoker.calls.slice(2);
  await until(() => later.every((call) => call.cancelled === 'disconnected'), 'both calls are cancelled');
});
