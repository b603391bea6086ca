import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { memoryBudgetBytes, type PoolObservation, poolTargets, wanted } from '../src/pool-target.ts';

const rate = fc.double({ min: 0, max: 2000, noNaN: true });
const pool: fc.Arbitrary<PoolObservation> = fc
  .record({
    claimsPerSecondShort: rate,
    claimsPerSecondLong: rate,
    burst: fc.nat(40),
    createMs: fc.double({ min: 0, max: 400, noNaN: true }),
    refillDelayMs: fc.nat(200),
    parallel: fc.integer({ min: 1, max: 8 }),
    min: fc.nat(10),
    more: fc.nat(30),
    above: fc.double({ min: 0, max: 1, noNaN: true }),
    containerBytes: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ more, above, ...rest }) => {
    const max = rest.min + more;
    return { ...rest, max, target: Math.round(rest.min + above * more) };
  });
const pools = fc.array(pool, { minLength: 1, maxLength: 5 });
const budget = fc.oneof(fc.nat(2000), fc.constant(Infinity));

const idle = (of: PoolObservation): PoolObservation => ({
  ...of,
  claimsPerSecondShort: 0,
  claimsPerSecondLong: 0,
  burst: 0,
});
const first = (targets: readonly number[]): number => targets[0] ?? NaN;
const bytes = (of: readonly PoolObservation[], targets: readonly number[]): number =>
  of.reduce((sum, { containerBytes }, at) => sum + containerBytes * (targets[at] ?? 0), 0);

/** The targets after so many looks at the same thing. */
function looked(of: readonly PoolObservation[], budgetBytes: number, looks: number): PoolObservation[] {
  let seen = [...of];
  for (let look = 0; look < looks; look++) {
    const targets = poolTargets(seen, budgetBytes);
    seen = seen.map((each, at) => ({ ...each, target: targets[at] ?? 0 }));
  }
  return seen;
}

test('poolTargets() are from min to max, and below min only where the memory ends', () => {
  fc.assert(
    fc.property(pools, budget, (of, budgetBytes) => {
      const targets = poolTargets(of, budgetBytes);
      const hasRoom =
        bytes(
          of,
          of.map(({ min }) => min),
        ) <= budgetBytes;
      for (const [at, { min, max }] of of.entries()) {
        const target = targets[at] ?? NaN;
        assert.ok(Number.isInteger(target) && target <= max && target >= (hasRoom ? min : 0), `${target}`);
      }
    }),
  );
});

test('poolTargets() never take more than the budget together', () => {
  fc.assert(
    fc.property(pools, budget, (of, budgetBytes) => {
      assert.ok(bytes(of, poolTargets(of, budgetBytes)) <= budgetBytes);
    }),
  );
});

test('poolTargets() never give a pool fewer for more claims, larger bursts, slower forks or more memory', () => {
  const more = fc.record({ short: rate, long: rate, burst: fc.nat(10), createMs: fc.nat(100), bytes: fc.nat(500) });
  fc.assert(
    fc.property(pool, fc.array(pool, { maxLength: 4 }), budget, more, (of, others, budgetBytes, by) => {
      const busier = {
        ...of,
        claimsPerSecondShort: of.claimsPerSecondShort + by.short,
        claimsPerSecondLong: of.claimsPerSecondLong + by.long,
        burst: of.burst + by.burst,
        createMs: of.createMs + by.createMs,
      };
      const before = first(poolTargets([of, ...others], budgetBytes));
      assert.ok(first(poolTargets([busier, ...others], budgetBytes)) >= before);
      assert.ok(first(poolTargets([of, ...others], budgetBytes + by.bytes)) >= before);
    }),
    { numRuns: 1000 },
  );
});

test('poolTargets() rise at once to what is wanted, and fall back to min when nobody claims any more', () => {
  fc.assert(
    fc.property(pool, (of) => {
      assert.ok(first(poolTargets([of], Infinity)) >= wanted(of));
      const [rested] = looked([idle(of)], Infinity, 60);
      assert.equal(rested?.target, of.min);
    }),
  );
});

test('poolTargets() come to rest while nothing changes, and stay where they are while demand varies a little', () => {
  fc.assert(
    fc.property(pools, budget, (of, budgetBytes) => {
      const rested = looked(of, Infinity, 60);
      assert.deepEqual(looked(rested, Infinity, 1), rested);
      const bounded = looked(of, budgetBytes, 120);
      assert.deepEqual(looked(bounded, budgetBytes, 1), bounded);
    }),
  );
  fc.assert(
    fc.property(pool, fc.array(fc.double({ min: 0.9, max: 1, noNaN: true }), { minLength: 2 }), (of, parts) => {
      // The peak comes first; what follows is a little less, up and down.
      const seen = { ...of, min: 0, max: 1000, target: wanted({ ...of, min: 0, max: 1000 }), createMs: 0, burst: 0 };
      const steady = { ...seen, target: wanted(seen) };
      for (const part of parts) {
        const varied = {
          ...steady,
          claimsPerSecondShort: steady.claimsPerSecondShort * part,
          claimsPerSecondLong: steady.claimsPerSecondLong * part,
        };
        assert.equal(first(poolTargets([varied], Infinity)), steady.target);
      }
    }),
  );
});

test('poolTargets() give every pool its min first, then the same part of what it wants', () => {
  const busy = (min: number, burst: number): PoolObservation => ({
    claimsPerSecondShort: 1,
    claimsPerSecondLong: 1,
    burst,
    createMs: 5,
    refillDelayMs: 25,
    parallel: 2,
    min,
    max: 100,
    target: 0,
    containerBytes: 1,
  });
  const both = [busy(4, 44), busy(4, 24)];
  assert.deepEqual(poolTargets(both, 100), [44, 24]);
  assert.deepEqual(poolTargets(both, 38), [24, 14]);
  assert.deepEqual(poolTargets(both, 8), [4, 4]);
  assert.deepEqual(poolTargets(both, 5), [3, 2]);
});

test('memoryBudgetBytes() is the share without what others use, and less the more there is waiting for memory', () => {
  const memory = {
    totalBytes: 1000,
    availableBytes: 500,
    parkedBytes: 100,
    pressurePercent: undefined,
    sharePercent: 80,
    pressurePercentMax: 10,
  };
  assert.equal(memoryBudgetBytes(memory), 400);
  assert.equal(memoryBudgetBytes({ ...memory, pressurePercent: 5 }), 200);
  assert.equal(memoryBudgetBytes({ ...memory, pressurePercent: 30 }), 0);
  assert.equal(memoryBudgetBytes({ ...memory, availableBytes: 50 }), 0);
});
