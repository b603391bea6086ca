import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, integer, property, record } from 'fast-check';
import { GreedyDual } from '../../src/keep-alive/index.ts';

const MB = 1024 * 1024;

test('GreedyDual: who is called seldom, is cheap to load or takes much memory goes first', () => {
  const policy = new GreedyDual();
  const worth = { uses: 4, costMs: 100, sizeBytes: 64 * MB };
  const usual = { name: 'usual', priority: policy.priority(worth) };
  const lesser = { seldom: { uses: 3 }, cheap: { costMs: 99 }, large: { sizeBytes: 65 * MB } };
  for (const [name, change] of Object.entries(lesser)) {
    const other = { name, priority: policy.priority({ ...worth, ...change }) };
    assert.equal(new GreedyDual().evict([usual, other])?.name, name);
    assert.equal(new GreedyDual().evict([other, usual])?.name, name);
  }
});

test('GreedyDual: without candidates nothing is evicted', () => {
  assert.equal(new GreedyDual().evict([]), undefined);
});

test('GreedyDual: who was worth much and is not called any more is overtaken', () => {
  const policy = new GreedyDual();
  const old = { name: 'old', priority: policy.priority({ uses: 100, costMs: 10, sizeBytes: 1 }) };
  let rounds = 0;
  let evicted;
  do {
    const fresh = { name: 'fresh', priority: policy.priority({ uses: 1, costMs: 10, sizeBytes: 1 }) };
    evicted = policy.evict([old, fresh]);
    rounds += 1;
  } while (evicted?.name === 'fresh');
  assert.equal(rounds, 100);
});

test('GreedyDual: the lowest goes, and the clock never falls', () => {
  const small = integer({ min: 1, max: 1000 });
  const worths = array(record({ uses: small, costMs: small, sizeBytes: small }), { minLength: 1, maxLength: 30 });
  check(
    property(worths, array(integer({ min: 0, max: 2 }), { maxLength: 60 }), (all, steps) => {
      const policy = new GreedyDual();
      const clock = (): number => policy.priority({ uses: 0, costMs: 0, sizeBytes: 1 });
      const held = new Set<{ readonly priority: number }>();
      for (const [index, step] of steps.entries()) {
        const before = clock();
        const worth = all[index % all.length];
        if (step > 0 && worth !== undefined) {
          const container = { priority: policy.priority(worth) };
          assert.ok(container.priority > before);
          held.add(container);
          continue;
        }
        const lowest = Math.min(...[...held].map(({ priority }) => priority));
        const evicted = policy.evict(held);
        assert.equal(evicted?.priority ?? Infinity, lowest);
        if (evicted !== undefined) held.delete(evicted);
        assert.equal(clock(), evicted === undefined ? before : Math.max(before, lowest));
      }
    }),
  );
});
