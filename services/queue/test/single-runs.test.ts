import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type AsyncPolicy, fail } from '@hob/contracts';
import { WorkerClient } from '@hob/redis';
import { DelayedError, Queue } from 'bullmq';
import { pino } from 'pino';
import { bullOptions } from '../src/bull-options.ts';
import type { EventJob } from '../src/event-store.ts';
import { EVENTS_QUEUE, queueKeys } from '../src/redis-keys.ts';
import { SingleRuns } from '../src/single-runs.ts';
import { policy, QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

const once: AsyncPolicy = { ...policy, isOnce: true };

/** Leaves in Redis what a process that is gone has left there. */
async function leave({ redis }: QueueFixture, id: string, run: object): Promise<void> {
  await redis.ask((client) => client.set(redis.target.key(`event-run:${id}:0`), JSON.stringify(run)));
}

test('An event that is run at most once is a dead letter when its run fails, and nothing is kept of its run', async () => {
  await using fixture = await QueueFixture.open();
  await fixture.reached(await fixture.submit({ policy: once }), 'succeeded');
  fixture.invoker.behaviour = () => 500;
  const dead = await fixture.reached(await fixture.submit({ policy: once }), 'dead');
  assert.deepEqual([dead.error?.code, dead.attempts, dead.result?.status], ['ERR_FN_STATUS', 1, 500]);
  assert.equal(fixture.invoker.calls.length, 2);
  const runsKept = (): Promise<string[]> => fixture.redis.ask((client) => client.keys('*event-run*'));
  await until('the runs are forgotten', async () => (await runsKept()).length === 0);
});

test('An event that is run at most once is run again when the call has not reached its function', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ attempt }) => (attempt < 3 ? fail('ERR_SCHED_QUEUE_TIMEOUT', [10]) : 'ok');
  await fixture.reached(await fixture.submit({ policy: once }), 'succeeded');
  assert.equal(fixture.invoker.calls.length, 3);
  fixture.unknown.add('gone');
  const gone = await fixture.reached(await fixture.submit({ policy: once, function: 'gone' }), 'dead');
  assert.equal(gone.error?.code, 'ERR_FN_NOT_FOUND');
});

test('An event whose only run was cut is a dead letter, and runs when it is redriven', async () => {
  await using fixture = await QueueFixture.open();
  const id = randomUUID();
  await leave(fixture, id, { run: 'of a process that was killed' });
  const told = { ...once, onFailure: 'bad-news', onSuccess: 'good-news' };
  await fixture.submit({ id, policy: told });
  const dead = await fixture.reached(id, 'dead');
  assert.deepEqual([dead.error?.code, dead.attempts], ['ERR_FN_INTERRUPTED', 1]);
  const { calls } = fixture.invoker;
  await until('it is told', () => calls.length === 1);
  assert.equal(calls[0]?.request.version.name, 'bad-news');
  assert.equal(await fixture.queue.deadLetters.redrive({ ids: [id] }), 1);
  await fixture.reached(id, 'succeeded');
  assert.equal(calls.filter(({ request }) => request.id === id).length, 1);
});

test('An event whose only run has ended, which the queue was not told, ends as that did', async () => {
  await using fixture = await QueueFixture.open();
  const [good, bad] = [randomUUID(), randomUUID()];
  const result = { status: 201, headers: [], body: 'kept', encoding: 'utf8', bodyBytes: 4, isCut: false };
  await leave(fixture, good, { run: 'a', attempt: { result } });
  const error = { code: 'ERR_FN_TIMEOUT', message: 'it took too long' };
  await leave(fixture, bad, { run: 'b', attempt: { error } });
  await fixture.submit({ id: good, policy: once });
  assert.deepEqual((await fixture.reached(good, 'succeeded')).result, result);
  await fixture.submit({ id: bad, policy: once });
  assert.deepEqual((await fixture.reached(bad, 'dead')).error, error);
  assert.equal(fixture.invoker.calls.length, 0);
});

test('An event that is run at most once is given up when hob stops before it ends, and cancelled when it is', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 2 });
  fixture.invoker.behaviour = () => new Promise(() => undefined);
  const cancelled = await fixture.submit({ policy: once });
  await fixture.reached(cancelled, 'running');
  assert.equal(await fixture.queue.cancel(cancelled), true);
  await fixture.reached(cancelled, 'cancelled');
  const cut = await fixture.submit({ policy: once });
  await fixture.reached(cut, 'running');
  await fixture.queue.close();
  fixture.openQueue();
  assert.equal((await fixture.reached(cut, 'dead')).error?.code, 'ERR_FN_INTERRUPTED');
  assert.equal(fixture.invoker.calls.length, 2);
});

test('An event that is run at most once goes on while Redis is away, and was run once', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 1 });
  const { promise, resolve } = Promise.withResolvers<string>();
  fixture.invoker.behaviour = () => promise;
  const id = await fixture.submit({ policy: once });
  await fixture.reached(id, 'running');
  await until('it is called', () => fixture.invoker.calls.length === 1);
  await fixture.redis.kill();
  resolve('done meanwhile');
  await fixture.redis.start();
  const record = await fixture.reached(id, 'succeeded');
  assert.deepEqual([record.result?.body, fixture.invoker.calls.length], ['done meanwhile', 1]);
});

test('An event that is run at most once is not begun by a worker whose event it is not any more', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 1 });
  const { target } = fixture.redis;
  const client = new WorkerClient(target, 'queue-worker', pino({ level: 'silent' }));
  const keys = queueKeys(target);
  const queue = new Queue(EVENTS_QUEUE, { connection: client, prefix: keys.bullPrefix, ...bullOptions });
  try {
    fixture.invoker.behaviour = () => new Promise(() => undefined);
    const id = await fixture.submit({ policy: once });
    await fixture.reached(id, 'running');
    await until('it runs', () => fixture.invoker.calls.length === 1);
    const job: EventJob = (await queue.getJob(id)) ?? assert.fail('it is there');
    // As when another worker has ended it, and what was kept of its run is forgotten.
    await fixture.redis.removed('*event-run*');
    const runs = new SingleRuns({ redis: client, keys, queue });
    const never = (): Promise<never> => assert.fail('it was run a second time');
    await assert.rejects(runs.only(job, 'of a worker that stood still', never), DelayedError);
  } finally {
    await queue.close();
    client.disconnectAll();
  }
});
