import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, double, integer, property } from 'fast-check';
import { poolMin } from '../../src/simulate/pool-min.ts';

test('poolMin: as many as start within one replacement', () => {
  const starts = Float64Array.of(0, 1, 2, 100, 200);
  assert.equal(poolMin(starts, 10, 1), 3);
  assert.equal(poolMin(starts, 2, 1), 2);
  assert.equal(poolMin(starts, 10, 0.8), 2);
  assert.equal(poolMin(starts, 10, 0.6), 1);
  assert.equal(poolMin(new Float64Array(), 10, 1), 0);
});

test('poolMin: with so many parked containers, the starts find one, and with one fewer they do not', () => {
  const times = array(integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 100 });
  check(
    property(
      times,
      integer({ min: 1, max: 200 }),
      double({ min: 0.5, max: 1, noNaN: true }),
      (ms, replenish, share) => {
        const starts = Float64Array.from(ms).sort();
        // Of the starts, those at which no more than `parked` were taken in the time before.
        const found = (parked: number): number =>
          starts.filter(
            (start, at) => starts.subarray(0, at + 1).filter((each) => each > start - replenish).length <= parked,
          ).length;
        const min = poolMin(starts, replenish, share);
        assert.ok(found(min) >= share * starts.length - 1e-9);
        assert.ok(found(min - 1) < share * starts.length);
      },
    ),
  );
});
