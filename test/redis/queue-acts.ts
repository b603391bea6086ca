import assert from 'node:assert/strict';
import { asyncPolicy, type KeyedCall } from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import { until } from '../support/until.ts';
import { TestQueue, versionOf } from './test-queue.ts';

const response = { status: 201, headers: ['x-a', 'b'], body: Buffer.from([0, 255, 1]) };

/** What the queue is for: events, also those that run at most once, retries, dead letters, schedules, idempotency keys, cancellation. */
export async function queueActs(redis: RedisTarget, name = 'acts'): Promise<void> {
  await using it = await TestQueue.open(redis);
  const { queue } = it;
  const target = { function: name };
  const small = await it.submit('hello', target);
  const large = await it.submit('x'.repeat(20_000), target);
  const failing = await it.submit('fail 2', target);
  const dead = await it.submit('never', target);
  const single = await it.submit('hello', { ...target, policy: asyncPolicy({ delivery: 'at-most-once' }) });
  for (const id of [small, large, single]) assert.equal((await it.reached(id, 'succeeded')).attempts, 1);
  assert.equal((await it.reached(failing, 'succeeded')).attempts, 3);

  await it.reached(dead, 'dead');
  assert.deepEqual(
    (await queue.deadLetters.list(name, 10)).letters.map(({ id }) => id),
    [dead],
  );
  assert.equal((await queue.deadLetters.read(dead))?.request.body, 'never');
  assert.equal(await queue.deadLetters.redrive({ function: name }), 1);
  await until('it was tried again', () => it.runs.get(dead) === 6);
  await it.reached(dead, 'dead');
  assert.equal(await queue.deadLetters.purge({ function: name }), 1);
  assert.equal(await queue.read(dead), undefined);

  const running = await it.submit('wait', target);
  await it.reached(running, 'running');
  assert.equal(await queue.cancel(running), true);
  await it.reached(running, 'cancelled');

  await queue.schedules.apply(versionOf(`${name}-timed`, [{ name: 'tick', everyMs: 1000 }]));
  assert.deepEqual(
    (await queue.schedules.list()).map((schedule) => schedule.function),
    [`${name}-timed`],
  );
  await until('the schedule has called', () => it.called.has(`${name}-timed`));
  await queue.schedules.remove(`${name}-timed`);
  assert.deepEqual(await queue.schedules.list(), []);

  const call: KeyedCall = { scope: name, key: 'k', fingerprint: 'f', id: 'first', isOnce: true };
  assert.equal((await queue.keys.claim(call)).isFirst, true);
  assert.equal((await queue.keys.claim({ ...call, id: 'second' })).response, undefined);
  await queue.keys.settle(call, response);
  assert.deepEqual((await queue.keys.claim({ ...call, id: 'third' })).response, response);
  assert.ok((await queue.counts())?.waiting === 0);
}
