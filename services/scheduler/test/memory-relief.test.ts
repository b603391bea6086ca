import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, integer, option, property, record } from 'fast-check';
import { reliefBytes } from '../src/memory-relief.ts';

const GB = 2 ** 30;
const memory = {
  totalBytes: 16 * GB,
  availableBytes: 12 * GB,
  parkedBytes: 0,
  pressurePercent: 0,
  sharePercent: 80,
  pressurePercentMax: 10,
};

test('reliefBytes() takes nothing from idle containers while there is memory, however much is in use', () => {
  assert.equal(reliefBytes(memory, GB), 0);
  assert.equal(reliefBytes({ ...memory, availableBytes: 1.6 * GB, pressurePercent: 9.9 }, GB), 0);
});

test('reliefBytes() takes what is missing from half of the reserve, and a quarter under pressure', () => {
  assert.equal(Math.round(reliefBytes({ ...memory, availableBytes: 1.5 * GB }, GB)), Math.round(0.1 * GB));
  assert.equal(reliefBytes({ ...memory, pressurePercent: 10 }, GB), GB / 4);
  assert.equal(reliefBytes({ ...memory, availableBytes: 0, pressurePercent: 10 }, GB), GB);
});

test('reliefBytes() is never below nothing or above what there is, and grows as memory gets less', () => {
  const observation = record({
    totalBytes: integer({ min: 1, max: 1e6 }),
    availablePercent: integer({ min: 0, max: 100 }),
    pressurePercent: option(integer({ min: 0, max: 100 }), { nil: undefined }),
    sharePercent: integer({ min: 1, max: 100 }),
    pressurePercentMax: integer({ min: 1, max: 100 }),
  });
  check(
    property(observation, integer({ min: 0, max: 1e6 }), ({ availablePercent, ...rest }, idleBytes) => {
      const of = (availableBytes: number, pressurePercent = rest.pressurePercent): number =>
        reliefBytes({ ...rest, parkedBytes: 0, availableBytes, pressurePercent }, idleBytes);
      const availableBytes = (rest.totalBytes * availablePercent) / 100;
      const bytes = of(availableBytes);
      assert.ok(bytes >= 0 && bytes <= idleBytes);
      assert.ok(of(availableBytes / 2) >= bytes);
      assert.ok(of(availableBytes, 100) >= bytes);
    }),
  );
});
