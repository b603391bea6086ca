import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, HobError } from '@hob/contracts';
import * as fc from 'fast-check';
import { type FakeCall, headOf } from './fakes/fake-invoker.ts';
import { RawClient } from './fakes/raw-client.ts';
import { startGateway, until } from './fakes/test-gateway.ts';

type Step = (call: FakeCall) => void;

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('content-length', 'connection', '3', 'date'));
const status = fc.oneof(fc.constantFrom(200, 204, 205, 304, 100, 500), fc.integer(), fc.double());
const codes: readonly ErrorCode[] = ['ERR_FN_TIMEOUT', 'ERR_INTERNAL', 'ERR_CANCELLED', 'ERR_SCHED_QUEUE_FULL'];

const step = fc.oneof(
  fc.record({ status, headers: fc.array(text, { maxLength: 8 }), bodyless: fc.boolean() }).map(
    (head): Step =>
      (call) =>
        call.sink.head(headOf(head.status, head.headers, { bodyless: head.bodyless })),
  ),
  fc.uint8Array({ maxLength: 40_000 }).map(
    (bytes): Step =>
      (call) =>
        void call.sink.chunk(bytes),
  ),
  fc.constant<Step>((call) => call.sink.drain()),
  fc.constant<Step>((call) => call.sink.end()),
  fc.constantFrom(...codes).map(
    (code): Step =>
      (call) =>
        call.sink.fail(new HobError(code, 'x'), undefined),
  ),
);

/** Steps that come in the call itself, and those of later turns. */
const plan = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
  version: fc.constantFrom('1.1', '1.0'),
  body: fc.constantFrom('', 'content-length: 3\r\n\r\nabc', 'content-length: 9\r\n\r\nabc'),
  atOnce: fc.array(step, { maxLength: 3 }),
  later: fc.array(step, { maxLength: 4 }),
  leaves: fc.boolean(),
});

test('/fn ends every exchange once and serves on, whatever a function does and in whatever order', async () => {
  await using hob = await startGateway({ lingerMs: 5, keepAliveMs: 20, bodyIdleMs: 200 });
  const inFlight = async (): Promise<number> =>
    Number(/^hob_http_requests_in_flight (\d+)$/m.exec(await hob.metrics.render())?.[1]);
  await fc.assert(
    fc.asyncProperty(plan, async ({ atOnce, body, later, leaves, method, version }) => {
      const before = hob.invoker.calls.length;
      hob.invoker.onCall = (call) => {
        for (const act of atOnce) act(call);
      };
      using client = await RawClient.open(hob.port);
      const head = `${method} /fn/hello HTTP/${version}\r\nhost: a\r\nconnection: close\r\n`;
      client.send(head + (body === '' ? '\r\n' : body));
      await until(() => hob.invoker.calls.length > before, 'the call was made');
      const { last } = hob.invoker;
      for (const act of later) {
        await new Promise((resolve) => setImmediate(resolve));
        act(last);
      }
      if (leaves) client.socket.destroy();
      last.sink.end();
      const received = await client.all();
      assert.ok(received.split('HTTP/1.1 ').length <= 2, 'there is at most one response');
    }),
    { numRuns: 300 },
  );
  // Each look lets the sockets end meanwhile: to render the metrics takes no turn of the event loop.
  for (let count = await inFlight(); count > 0; count = await inFlight()) await delay(1);
  hob.invoker.onCall = (call) => call.answer(200, [], 'still here');
  assert.equal(await (await fetch(`${hob.url}/fn/hello`)).text(), 'still here');
});
