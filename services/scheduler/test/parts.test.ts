import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ByteLru } from '../src/byte-lru.ts';
import { DeadlineList, type Expiring } from '../src/deadline-list.ts';
import { cutText, LogLimit } from '../src/log-limit.ts';
import { FakeClock } from './fakes/fake-clock.ts';

test('ByteLru forgets what was used longest ago, and never holds more than its bytes', () => {
  const lru = new ByteLru<string>(10);
  lru.set('a', 'A', 4);
  lru.set('b', 'B', 4);
  assert.equal(lru.get('a'), 'A');
  lru.set('c', 'C', 4);
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c')], ['A', undefined, 'C']);
  lru.set('a', 'a', 6);
  assert.deepEqual([lru.get('a'), lru.get('c')], ['a', 'C']);
  lru.set('large', 'L', 11);
  assert.deepEqual([lru.get('a'), lru.get('large')], ['a', undefined]);
});

interface Item extends Expiring<Item> {}

test('DeadlineList tells each item once, at its time, unless it was deleted', async () => {
  const commands = fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const clock = new FakeClock();
      const list = new DeadlineList<Item>(clock, 100);
      const told = new Map<Item, number>();
      const kept: { item: Item; dueMs: number }[] = [];
      for (const [waitMs, isDeleted] of steps) {
        await clock.advance(waitMs);
        const item: Item = {
          expiresMs: 0,
          list: undefined,
          earlier: undefined,
          later: undefined,
          expired: () => {
            assert.ok(!told.has(item));
            told.set(item, clock.nowMs());
          },
        };
        list.add(item, clock.nowMs());
        if (isDeleted) list.delete(item);
        else kept.push({ item, dueMs: clock.nowMs() + 100 });
      }
      await clock.advance(100);
      assert.equal(told.size, kept.length);
      for (const { item, dueMs } of kept) assert.equal(told.get(item), dueMs);
    }),
    { numRuns: 30 },
  );
});

test('LogLimit lets the first line of each window pass, however long it is', () => {
  const limit = new LogLimit({ linesPerSecond: 3, bytesPerSecond: 10 });
  assert.equal(limit.allows(100, 0), true);
  assert.equal(limit.allows(1, 999), false);
  assert.equal(limit.allows(4, 1000), true);
  assert.equal(limit.allows(4, 1000), true);
  assert.equal(limit.allows(4, 1000), false);
  assert.equal(limit.allows(2, 1000), true);
  assert.equal(limit.allows(0, 1000), false);
  assert.equal(limit.takeDropped(), 3);
  assert.equal(limit.takeDropped(), 0);
});

test('cutText keeps what fits, and cuts the rest between characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.integer({ min: 3, max: 60 }), (text, bytesMax) => {
      const cut = cutText(text, bytesMax);
      assert.ok(Buffer.byteLength(cut) <= bytesMax);
      if (Buffer.byteLength(text) <= bytesMax) assert.equal(cut, text);
      else {
        assert.ok(cut.endsWith('…') && text.startsWith(cut.slice(0, -1)));
        assert.ok(cut.isWellFormed());
      }
    }),
  );
});
