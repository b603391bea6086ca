import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpareCapacity } from '../src/spare-capacity.ts';
import { QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

const { signal } = new AbortController();

/** Takes places and counts those that it has. */
class Taker {
  readonly places: Disposable[] = [];

  take(capacity: SpareCapacity): void {
    void capacity.take(signal).then((place) => this.places.push(place));
  }
}

test('SpareCapacity gives its places away while there is nothing else, and each again when it comes back', async () => {
  using capacity = new SpareCapacity({ max: 2, load: () => ({ running: 0, started: 0 }) });
  const taker = new Taker();
  for (let at = 0; at < 3; at++) taker.take(capacity);
  await until('two are taken', () => taker.places.length === 2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taker.places.length, 2);
  taker.places[0]?.[Symbol.dispose]();
  await until('the third is taken', () => taker.places.length === 3);
});

test('SpareCapacity leaves one place beside synchronous calls, running ones and such that have just been', async () => {
  const load = { running: 5, started: 5 };
  using capacity = new SpareCapacity({ max: 4, load: () => load });
  assert.equal(capacity.limit, 1);
  load.running = 1;
  await until('it has seen that they are fewer', () => capacity.limit === 3);
  load.running = 0;
  load.started += 2;
  await until('two have come and gone', () => capacity.limit === 2);
  await until('it is quiet', () => capacity.limit === 4);
});

test('SpareCapacity.take ends with its signal', async () => {
  using capacity = new SpareCapacity({ max: 1, load: () => ({ running: 0, started: 0 }) });
  await capacity.take(signal);
  const waiting = new AbortController();
  const taken = capacity.take(waiting.signal);
  waiting.abort();
  await assert.rejects(taken, { name: 'AbortError' });
});

test('InvocationQueue runs one event at a time beside synchronous calls, and as many as it may without', async () => {
  await using fixture = await QueueFixture.open({ concurrency: 4 });
  const { invoker } = fixture;
  let most = 0;
  let now = 0;
  invoker.behaviour = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 20));
    now -= 1;
    return 'ok';
  };
  const drain = async (): Promise<number> => {
    most = 0;
    const ids = await Promise.all(Array.from({ length: 12 }, () => fixture.submit()));
    for (const id of ids) await fixture.reached(id, 'succeeded');
    return most;
  };
  assert.equal(await drain(), 4);
  invoker.running += 10;
  assert.equal(await drain(), 1);
});
