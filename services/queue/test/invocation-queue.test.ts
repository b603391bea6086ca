import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { Redis } from 'ioredis';
import { policy, QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

const code = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;

test('InvocationQueue runs an accepted event and keeps what the function answered, with its receipt', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ request, body }) => `${request.method} ${request.url} ${body}`;
  const id = await fixture.submit({ body: Buffer.from('hello') });
  const { result, receipt, attempts, endedAt, error, ...record } = await fixture.reached(id, 'succeeded');
  assert.equal(result?.body, 'POST http://hob/a?b=c hello');
  assert.equal(result.status, 200);
  assert.deepEqual(result.headers, ['content-type', 'text/plain']);
  assert.equal(receipt?.invocationId, id);
  assert.equal(attempts, 1);
  assert.equal(error, undefined);
  assert.ok(endedAt !== undefined && record.createdAt <= endedAt);
  const [call] = fixture.invoker.calls;
  assert.equal(call?.request.version.version, 7, 'the version that is live then');
  assert.deepEqual(call.request.headers, ['x-one', '1', 'hob-attempt', '1']);
});

test('InvocationQueue calls the version that was named', async () => {
  await using fixture = await QueueFixture.open();
  const id = await fixture.submit({ version: 3 });
  assert.equal((await fixture.reached(id, 'succeeded')).version, 3);
  assert.equal(fixture.invoker.calls[0]?.request.version.version, 3);
});

test('InvocationQueue keeps large bodies beside the jobs, and the beginning of large answers', async () => {
  await using fixture = await QueueFixture.open();
  const body = Buffer.from('x'.repeat(1_000_000));
  fixture.invoker.behaviour = (call) => call.body;
  const id = await fixture.submit({ body });
  const { result } = await fixture.reached(id, 'succeeded');
  assert.equal(fixture.invoker.calls[0]?.body.length, body.length);
  assert.deepEqual([result?.body.length, result?.bodyBytes, result?.isCut], [64, body.length, true]);
});

test('InvocationQueue waits for the next attempt to the part of a second', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ attempt }) => (attempt === 1 ? 500 : 'done');
  const redis = new Redis(fixture.redis.socket, { disableClientInfo: true });
  const monitor = await redis.monitor();
  const waits: number[] = [];
  monitor.on('monitor', (_time: string, [command, , seconds]: string[]) => {
    if (command?.toLowerCase() === 'bzpopmin') waits.push(Number(seconds));
  });
  const slow = { ...policy, backoffMs: 400, backoffMaxMs: 400 };
  const ids = await Promise.all(Array.from({ length: 10 }, () => fixture.submit({ policy: slow })));
  for (const id of ids) await fixture.reached(id, 'succeeded');
  monitor.disconnect();
  redis.disconnect();
  assert.ok(
    waits.some((seconds) => !Number.isInteger(seconds)),
    waits.join(),
  );
});

test('InvocationQueue takes an answer below 500 as one, whatever it says', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => 422;
  const id = await fixture.submit();
  const record = await fixture.reached(id, 'succeeded');
  assert.equal(record.result?.status, 422);
  assert.equal(record.attempts, 1);
});

test('InvocationQueue tries again after statuses from 500 and after coded errors, until one succeeds', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ attempt }) =>
    attempt === 1 ? 503 : attempt === 2 ? fail('ERR_FN_THREW', ['Error', 'no']) : 'at last';
  const id = await fixture.submit();
  const record = await fixture.reached(id, 'succeeded');
  assert.equal(record.attempts, 3);
  assert.equal(record.result?.body, 'at last');
});

test('InvocationQueue tells why an attempt failed and when the next one may come', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => 500;
  const id = await fixture.submit({ policy: { ...policy, backoffMs: 600_000, backoffMaxMs: 600_000 } });
  const record = await fixture.reached(id, 'failed');
  assert.equal(record.error?.code, 'ERR_FN_STATUS');
  assert.equal(record.result?.status, 500);
  assert.equal(record.attempts, 1);
  assert.ok((record.nextAttemptAt ?? '') > record.createdAt);
});

test('InvocationQueue makes a dead letter of an event whose last attempt failed', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => fail('ERR_FN_TIMEOUT', [10]);
  const record = await fixture.reached(await fixture.submit(), 'dead');
  assert.equal(record.attempts, 3);
  assert.equal(record.error?.code, 'ERR_FN_TIMEOUT');
  assert.equal(fixture.invoker.calls.length, 3);
});

test('InvocationQueue gives up at once when no attempt can succeed, or the event is too old', async () => {
  await using fixture = await QueueFixture.open();
  fixture.unknown.add('gone');
  const gone = await fixture.reached(await fixture.submit({ function: 'gone' }), 'dead');
  assert.deepEqual([gone.error?.code, gone.attempts], ['ERR_FN_NOT_FOUND', 1]);
  fixture.invoker.behaviour = () => 500;
  const old = { maxAttempts: 100, maxAgeMs: 100, backoffMs: 50, backoffMaxMs: 50 };
  const record = await fixture.reached(await fixture.submit({ policy: old }), 'dead');
  assert.equal(record.error?.code, 'ERR_EVENT_TOO_OLD');
});

test('InvocationQueue does not count an attempt for which there was no container', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ attempt }) => (attempt < 3 ? fail('ERR_SCHED_QUEUE_TIMEOUT', [10]) : 'ok');
  const id = await fixture.submit({ policy: { ...policy, maxAttempts: 1 } });
  const record = await fixture.reached(id, 'succeeded');
  assert.equal(record.attempts, 1);
  assert.equal(fixture.invoker.calls.length, 3);
});

test('InvocationQueue.cancel ends a running event, and one that waits is never run', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 1 });
  fixture.invoker.behaviour = () => new Promise(() => undefined);
  const running = await fixture.submit();
  await fixture.reached(running, 'running');
  const waiting = await fixture.submit();
  assert.equal((await fixture.queue.read(waiting))?.status, 'waiting');
  assert.equal(await fixture.queue.cancel(waiting), true);
  assert.equal((await fixture.queue.read(waiting))?.status, 'cancelled');
  assert.equal(await fixture.queue.cancel(running), true);
  await fixture.reached(running, 'cancelled');
  await until('both have ended', async () => (await fixture.queue.read(waiting))?.endedAt);
  assert.equal(fixture.invoker.calls.length, 1);
  assert.equal(await fixture.queue.cancel(running), false, 'it has ended');
  assert.equal(await fixture.queue.cancel('00000000-0000-0000-0000-000000000000'), false);
});

test('InvocationQueue.cancel ends the pause of an event that would be tried again', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => 500;
  const id = await fixture.submit({ policy: { ...policy, backoffMs: 600_000, backoffMaxMs: 600_000 } });
  await fixture.reached(id, 'failed');
  await fixture.queue.cancel(id);
  await until('it has ended', async () => (await fixture.queue.read(id))?.endedAt);
  assert.equal((await fixture.queue.read(id))?.status, 'cancelled');
});

test('InvocationQueue refuses while Redis is away, and goes on by itself with what was accepted', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 1 });
  const { promise, resolve } = Promise.withResolvers<string>();
  fixture.invoker.behaviour = ({ attempt }) => (attempt === 1 ? promise : 'again');
  const running = await fixture.submit();
  await fixture.reached(running, 'running');
  const waiting = await fixture.submit();
  assert.equal(fixture.queue.available, true);
  await fixture.redis.kill();
  await assert.rejects(fixture.submit(), code('ERR_QUEUE_UNAVAILABLE'));
  await until('the queue knows', () => !fixture.queue.available);
  await assert.rejects(fixture.queue.read(running), code('ERR_QUEUE_UNAVAILABLE'));
  resolve('done meanwhile');
  await fixture.redis.start();
  await until('the queue can be used', () => fixture.queue.available);
  await fixture.submit();
  await fixture.reached(running, 'succeeded');
  await fixture.reached(waiting, 'succeeded');
});

test('InvocationQueue puts back what it cannot end in time, and the next one goes on with it', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 1 });
  fixture.invoker.behaviour = () => new Promise(() => undefined);
  const running = await fixture.submit({ body: Buffer.from('x'.repeat(10_000)) });
  await fixture.reached(running, 'running');
  const waiting = await fixture.submit();
  await fixture.queue.close();
  assert.equal(fixture.invoker.running, 0);
  fixture.invoker.behaviour = ({ body }) => `after a restart ${body.length}`;
  fixture.openQueue();
  const record = await fixture.reached(running, 'succeeded');
  assert.deepEqual([record.result?.body, record.attempts], ['after a restart 10000', 1]);
  await fixture.reached(waiting, 'succeeded');
});

test('InvocationQueue accepts nothing while Redis holds too much', async () => {
  await using fixture = await QueueFixture.open({ redisBytesMax: 2_000_000 });
  fixture.invoker.behaviour = () => new Promise(() => undefined);
  const refused = until('it is full', async () => {
    try {
      await fixture.submit({ body: Buffer.alloc(100_000) });
      return undefined;
    } catch (error) {
      return error;
    }
  });
  assert.ok(code('ERR_QUEUE_FULL')(await refused));
});

test('InvocationQueue tells how attempts end, and how many events there are', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 1 });
  fixture.outcomes.length = 0;
  fixture.invoker.behaviour = ({ attempt }) =>
    attempt === 1 ? 500 : attempt === 2 ? fail('ERR_SCHED_QUEUE_TIMEOUT', [10]) : 'ok';
  await fixture.reached(await fixture.submit(), 'succeeded');
  await fixture.reached(await fixture.submit({ policy: { ...policy, maxAttempts: 1 } }), 'dead');
  assert.deepEqual(fixture.outcomes, ['failed', 'put-back', 'succeeded', 'dead']);
  fixture.invoker.behaviour = () => new Promise(() => undefined);
  await fixture.reached(await fixture.submit(), 'running');
  await fixture.submit();
  const { oldestAgeMs, ...counts } = (await fixture.queue.counts()) ?? assert.fail('it answers');
  assert.deepEqual(counts, { waiting: 1, running: 1, failed: 0, dead: 1, schedules: { active: 0, paused: 0 } });
  assert.ok(oldestAgeMs >= 0 && oldestAgeMs < 60_000);
});

test('InvocationQueue tells again and again how long Redis takes', async () => {
  await using fixture = await QueueFixture.open();
  const before = fixture.answersMs.length;
  await until('two more answers', () => fixture.answersMs.length >= before + 2);
  assert.ok(fixture.answersMs.every((ms) => ms > 0));
});
