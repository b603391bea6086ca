import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyedCall } from '@hob/contracts';
import { QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

const call: KeyedCall = { scope: 'work', key: 'k', fingerprint: 'f', id: 'first', isOnce: false };
const response = { status: 201, headers: ['x-a', 'b'], body: Buffer.from([0, 255, 1]) };

test('IdempotencyStore gives a key to one call, and its answer to all', async () => {
  await using fixture = await QueueFixture.open();
  const { keys } = fixture.queue;
  const claims = await Promise.all(['first', 'second', 'third'].map((id) => keys.claim({ ...call, id })));
  assert.deepEqual(
    claims.map(({ isFirst }) => isFirst),
    [true, false, false],
  );
  assert.deepEqual(
    claims.map(({ id }) => id),
    ['first', 'first', 'first'],
  );
  await keys.settle(call, response);
  const later = await keys.claim({ ...call, id: 'fourth' });
  assert.deepEqual(later, { id: 'first', response, isFirst: false });
  await assert.rejects(keys.claim({ ...call, fingerprint: 'g' }), { code: 'ERR_IDEMPOTENCY_KEY_REUSED' });
  assert.equal((await keys.claim({ ...call, scope: 'other' })).isFirst, true);
  assert.deepEqual(fixture.hits, ['busy', 'busy', 'replayed', 'different']);
});

test('IdempotencyStore.release frees a key, and changes nothing for who does not hold it', async () => {
  await using fixture = await QueueFixture.open();
  const { keys } = fixture.queue;
  await keys.claim(call);
  await keys.release({ ...call, id: 'second' });
  await assert.rejects(keys.settle({ ...call, id: 'second' }, response), { code: 'ERR_IDEMPOTENCY_IN_PROGRESS' });
  assert.equal((await keys.claim(call)).response, undefined);
  await keys.release(call);
  assert.equal((await keys.claim({ ...call, fingerprint: 'g', id: 'second' })).isFirst, true);
});

test('IdempotencyStore holds the key of a call that is being made also when its time in Redis has run out', async () => {
  await using fixture = await QueueFixture.open();
  const { keys } = fixture.queue;
  await keys.claim(call);
  // As when the clock is set forward.
  await fixture.redis.removed('hob:idempotency:*');
  assert.deepEqual(await keys.claim({ ...call, id: 'second' }), { id: 'first', response: undefined, isFirst: false });
  await assert.rejects(keys.claim({ ...call, fingerprint: 'g' }), { code: 'ERR_IDEMPOTENCY_KEY_REUSED' });
  await keys.settle(call, response);
  assert.deepEqual((await keys.claim({ ...call, id: 'third' })).response, response);
});

test('IdempotencyStore keeps answers through a kill of Redis', async () => {
  await using fixture = await QueueFixture.open();
  await fixture.queue.keys.claim(call);
  await fixture.queue.keys.settle(call, response);
  await fixture.redis.kill();
  await assert.rejects(fixture.queue.keys.claim(call), { code: 'ERR_QUEUE_UNAVAILABLE' });
  await fixture.redis.start();
  await fixture.reached(await submitted(fixture), 'succeeded');
  assert.deepEqual((await fixture.queue.keys.claim(call)).response, response);
});

test('IdempotencyStore.settle gives the answer that was kept first, whoever else has one', async () => {
  await using fixture = await QueueFixture.open();
  await using other = fixture.anotherQueue();
  await other.started([]);
  await fixture.queue.keys.claim(call);
  // As when its process stood still for longer than a key is held.
  await fixture.queue.keys.release(call);
  const second = { ...call, id: 'second' };
  assert.equal((await other.keys.claim(second)).isFirst, true);
  await assert.rejects(fixture.queue.keys.settle(call, response), { code: 'ERR_IDEMPOTENCY_IN_PROGRESS' });
  const first = { ...response, body: Buffer.from('of the second') };
  assert.deepEqual(await other.keys.settle(second, first), first);
  assert.deepEqual(await fixture.queue.keys.settle(call, response), first);
  await assert.rejects(fixture.queue.keys.settle({ ...call, fingerprint: 'g' }, response), {
    code: 'ERR_IDEMPOTENCY_KEY_REUSED',
  });
});

test('IdempotencyStore keeps an answer when Redis is back that was away when it came', async () => {
  await using fixture = await QueueFixture.open();
  const { keys } = fixture.queue;
  await keys.claim(call);
  await fixture.redis.kill();
  await assert.rejects(keys.settle(call, response), { code: 'ERR_QUEUE_UNAVAILABLE' });
  assert.equal((await keys.claim({ ...call, id: 'second' })).isFirst, false, 'it is held meanwhile');
  await fixture.redis.start();
  const later = { ...call, id: 'third' };
  const kept = await until(
    'the answer is kept',
    async () => (await keys.claim(later).catch(() => undefined))?.response,
  );
  assert.deepEqual(kept, response);
});

test('IdempotencyStore keeps the key of a call that is made at most once when its hob is gone, and everybody is told the same', async () => {
  await using fixture = await QueueFixture.open();
  const once = { ...call, isOnce: true };
  const { keys } = fixture.queue;
  assert.equal((await keys.claim(once)).isFirst, true);
  await using other = fixture.anotherQueue();
  await other.started([]);
  const busy = { id: 'first', response: undefined, isFirst: false };
  assert.deepEqual(await other.keys.claim({ ...once, id: 'second' }), busy);
  await fixture.redis.removed('*idempotency-holder*'); // As half a minute after a kill.
  assert.deepEqual(await other.keys.claim({ ...once, id: 'second' }), { ...busy, isCut: true });
  // Also for a request that came after a deploy which said otherwise.
  assert.deepEqual(await other.keys.claim({ ...call, id: 'third' }), { ...busy, isCut: true });
  const cut = { ...response, body: Buffer.from('cut') };
  assert.deepEqual(await other.keys.settle(once, cut), cut);
  assert.deepEqual((await other.keys.claim({ ...once, id: 'fourth' })).response, cut);
  assert.deepEqual(await keys.settle(once, response), cut, 'it was not gone, and what was told stays true');
});

test('IdempotencyStore frees the key of a call that is made at most once when it may have got it from a Redis that did not answer', async () => {
  await using fixture = await QueueFixture.open();
  const once = { ...call, isOnce: true };
  fixture.redis.stop();
  await assert.rejects(fixture.queue.keys.claim(once), { code: 'ERR_QUEUE_UNAVAILABLE' });
  fixture.redis.continue();
  const claimed = await until('the key is free', async () => {
    const claim = await fixture.queue.keys.claim({ ...once, id: 'second' }).catch(() => undefined);
    return claim?.isFirst ? claim : undefined;
  });
  assert.deepEqual(claimed, { id: 'second', response: undefined, isFirst: true });
});

async function submitted(fixture: QueueFixture): Promise<string> {
  for (;;) {
    try {
      return await fixture.submit();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
