import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policy, QueueFixture } from './support/queue-fixture.ts';

const once = { ...policy, maxAttempts: 1 };

test('DeadLetters are listed newest first, by function, and read with their request', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => 500;
  const ids: string[] = [];
  for (const name of ['a', 'b', 'a']) {
    ids.unshift(await fixture.submit({ function: name, policy: once, body: Buffer.from(`of ${name}`) }));
    await fixture.reached(ids[0] ?? '', 'dead');
  }
  const { deadLetters } = fixture.queue;
  const all = await deadLetters.list(undefined, 2);
  assert.deepEqual([all.total, all.letters.map(({ id }) => id)], [3, ids.slice(0, 2)]);
  const ofOne = await deadLetters.list('b', 50);
  assert.deepEqual(
    ofOne.letters.map(({ id, status }) => [id, status]),
    [[ids[1], 'dead']],
  );
  const letter = await deadLetters.read(ids[0] ?? '');
  assert.deepEqual(
    [letter?.error?.code, letter?.request.method, letter?.request.body],
    ['ERR_FN_STATUS', 'POST', 'of a'],
  );
  assert.equal(await deadLetters.read('none'), undefined);
});

test('DeadLetters.redrive has an event tried again, with its body, all its attempts and its whole age', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => 500;
  const short = { maxAttempts: 2, maxAgeMs: 2000, backoffMs: 1, backoffMaxMs: 1 };
  const id = await fixture.submit({ policy: short, body: Buffer.alloc(10_000, 'x') });
  const record = await fixture.reached(id, 'dead');
  await new Promise((resolve) => setTimeout(resolve, Date.parse(record.createdAt) + 2001 - Date.now()));
  fixture.invoker.behaviour = ({ attempt, body }) => (attempt < 4 ? 500 : `${body.length}`);
  assert.equal(await fixture.queue.deadLetters.redrive({ ids: [id, 'none'] }), 1);
  const redriven = await fixture.reached(id, 'succeeded');
  assert.deepEqual([redriven.attempts, redriven.result?.body, redriven.error], [2, '10000', undefined]);
  assert.equal((await fixture.queue.deadLetters.list(undefined, 50)).total, 0);
  assert.equal(await fixture.queue.deadLetters.redrive({ ids: [id] }), 0, 'it is none any more');
});

test('DeadLetters.redrive and purge take all of a function, or all', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = () => 500;
  const ids = [];
  for (let at = 0; at < 6; at++) ids.push(await fixture.submit({ function: at < 3 ? 'a' : 'b', policy: once }));
  for (const id of ids) await fixture.reached(id, 'dead');
  const { deadLetters } = fixture.queue;
  assert.equal(await deadLetters.purge({ function: 'a' }), 3);
  assert.equal(await fixture.queue.read(ids[0] ?? ''), undefined);
  fixture.invoker.behaviour = () => 'ok';
  assert.equal(await deadLetters.redrive({}), 3);
  for (const id of ids.slice(3)) await fixture.reached(id, 'succeeded');
  assert.equal(await deadLetters.purge({}), 0);
});
