import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { type FakeCall, headOf } from '../fakes/fake-invoker.ts';
import { parseResponse, RawClient, rawRequest } from '../fakes/raw-client.ts';
import { startGateway, until } from '../fakes/test-gateway.ts';

const simple = (path: string, method = 'GET', more = ''): string =>
  `${method} /fn/hello${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
/** Nothing that anybody would notice, but this header Node has to read. */
const byNode = 'proxy-connection: keep-alive\r\n';

const behaviours: Readonly<Record<string, (call: FakeCall) => void>> = {
  'a whole answer': (call) => call.answer(200, ['content-type', 'text/plain', 'x-a', 'b'], 'hello'),
  'an empty answer': (call) => call.answer(200),
  'a declared length': (call) => call.answer(200, ['content-length', '5'], 'hello'),
  'a wrong length': (call) => call.answer(200, ['content-length', '6'], 'hello'),
  'a large answer': (call) => call.answer(200, [], 'x'.repeat(100_000)),
  'a date of its own': (call) => call.answer(200, ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'], 'hello'),
  'no body': (call) => call.answer(204),
  'not modified': (call) => call.answer(304, ['content-length', '5']),
  'a reset': (call) => call.answer(205),
  'a head alone': (call) => {
    call.sink.head(headOf(404, [], { bodyless: true }));
    call.sink.end();
  },
  'an unusual status': (call) => call.answer(599, [], 'x'),
  'a stream': (call) => {
    call.sink.head(headOf(200, ['x-a', 'b']));
    const send = (left: number): void => {
      if (left === 0) call.sink.end();
      else {
        call.sink.chunk(Buffer.from(`part ${left} ${'y'.repeat(left * 5000)}`));
        setImmediate(() => send(left - 1));
      }
    };
    setImmediate(() => send(4));
  },
  'a stream of a declared length': (call) => {
    call.sink.head(headOf(200, ['content-length', '6']));
    setImmediate(() => {
      call.sink.chunk(Buffer.from('abc'));
      setImmediate(() => {
        call.sink.chunk(Buffer.from('def'));
        call.sink.end();
      });
    });
  },
  'a failure': (call) => call.sink.fail(fail('ERR_FN_THREW', ['Error', 'oh']), undefined),
  'a failure in the middle': (call) => {
    call.sink.head(headOf(200));
    setImmediate(() => call.sink.fail(fail('ERR_FN_CRASHED', ['SIGSEGV']), undefined));
  },
};

/** A response without what differs from call to call. */
function lasting(text: string): unknown {
  const { status, headers, body } = parseResponse(text);
  const kept = headers
    .map(([name, value]) => [name, value.replace(/^.* 20\d\d .* GMT$/, 'NOW')] as const)
    .filter(([name]) => name !== 'hob-invocation-id')
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { status, kept, body: body.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|(?<=\r\nDate: )[^\r]*/g, 'DIFFERS') };
}

test('/fn answers simple requests just as those that Node reads', async () => {
  await using hob = await startGateway();
  const answer = async (head: string): Promise<unknown> => {
    using client = await RawClient.open(hob.port);
    // The second answer shows where the first one ended.
    client.send(head);
    await until(() => client.closed || client.text.includes('\r\n\r\n'), 'the head is there');
    client.send(simple('/last', 'GET', 'connection: close\r\n'));
    return lasting(await client.all());
  };
  for (const [what, behave] of Object.entries(behaviours)) {
    for (const method of ['GET', 'HEAD', 'POST']) {
      hob.invoker.onCall = (call) => {
        if (call.request.url.endsWith('/last')) call.answer(200, [], 'LAST');
        else behave(call);
      };
      assert.deepEqual(
        await answer(simple('', method)),
        await answer(simple('', method, byNode)),
        `${method}, ${what}`,
      );
    }
  }
  assert.deepEqual(
    await answer('GET /fn/nobody HTTP/1.1\r\nhost: a\r\n\r\n'),
    await answer(`GET /fn/nobody HTTP/1.1\r\nhost: a\r\n${byNode}\r\n`),
  );
});

test('/fn serves simple requests and others on one connection, in their order', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => {
    const { pathname } = new URL(call.request.url);
    const answer = (): void => call.answer(200, [], `<${pathname}${call.body.toString()}>`);
    if (call.request.hasBody) setTimeout(answer, 5);
    else setImmediate(answer);
  };
  const requests = [
    simple('/1'),
    `${simple('/2', 'POST', 'content-length: 3\r\n')}abc`,
    simple('/3', 'HEAD'),
    `${simple('/4', 'POST', 'transfer-encoding: chunked\r\n')}3\r\ndef\r\n0\r\n\r\n`,
    simple('/5'),
    simple('/6', 'GET', 'connection: close\r\n'),
  ];
  const expected = ['/1', '/2abc', '/4def', '/5', '/6'];
  const whole = requests.join('');
  for (const cut of [0, 1, 40, simple('/1').length, simple('/1').length + 10, whole.length - 1, whole.length]) {
    using client = await RawClient.open(hob.port);
    client.send(whole.slice(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 2));
    client.send(whole.slice(cut));
    const text = await client.all();
    assert.deepEqual(
      [...text.matchAll(/<([^>]*)>/g)].map(([, found]) => found),
      expected,
      `cut at ${cut}`,
    );
  }
  using client = await RawClient.open(hob.port);
  for (const [at, request] of requests.entries()) {
    client.send(request);
    await until(() => client.text.split('HTTP/1.1 200 OK').length === at + 2, `answer ${at + 1}`);
  }
  assert.match(await client.all(), /<\/6>$/);
});

test('/fn gives the whole body of a simple request to the function, and where it came from', async () => {
  await using hob = await startGateway();
  const body = '\0\xff'.repeat(10_000);
  using client = await RawClient.open(hob.port);
  client.send(Buffer.from(`${simple('', 'POST', `content-length: ${body.length}\r\n`)}${body}`, 'latin1'));
  await client.seen('hello');
  const { last } = hob.invoker;
  await until(() => last.ended, 'the body has ended');
  assert.equal(last.body.toString('latin1'), body);
  assert.equal(last.header('x-forwarded-for'), '127.0.0.1');
});

test('/fn answers a client that sends nothing 408, and one that sends no second request not at all', async () => {
  await using hob = await startGateway({ headersTimeoutMs: 30, keepAliveMs: 30 });
  assert.equal(parseResponse(await rawRequest(hob.port, '')).status, 408);
  assert.match(await rawRequest(hob.port, simple('')), /hello$/);
});

test('/fn ends no running call because of its connection standing still', async () => {
  await using hob = await startGateway({ headersTimeoutMs: 20, keepAliveMs: 20, bodyIdleMs: 20 });
  hob.invoker.onCall = (call) => setTimeout(() => call.answer(200, [], 'late'), 100);
  assert.match(await rawRequest(hob.port, simple('')), /late$/);
});

test('/fn cancels the simple call of a client that goes away, and takes no more of one that sends without end', async () => {
  await using hob = await startGateway({ headerBytesMax: 2048 });
  hob.invoker.onCall = () => undefined;
  const leave = {
    destroy: (client: RawClient) => client.socket.destroy(),
    end: (client: RawClient) => client.socket.end(),
  };
  for (const how of ['destroy', 'end'] as const) {
    using client = await RawClient.open(hob.port);
    const before = hob.invoker.calls.length;
    client.send(simple(''));
    await until(() => hob.invoker.calls.length > before, 'the call was made');
    const { last } = hob.invoker;
    leave[how](client);
    await until(() => last.cancelled === 'disconnected', 'it is cancelled');
  }
  using flood = await RawClient.open(hob.port);
  const before = hob.invoker.calls.length;
  flood.send(simple(''));
  await until(() => hob.invoker.calls.length > before, 'the call was made');
  const megabyte = Buffer.alloc(1024 * 1024, 'x');
  for (let sent = 0; sent < 32; sent += 1) flood.send(megabyte);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(flood.socket.writableLength > 8 * megabyte.byteLength, 'the rest is still here');
  hob.invoker.last.answer(200, [], 'first');
  assert.match(await flood.all(), /first/);
});
