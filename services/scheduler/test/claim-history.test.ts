import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClaimHistory } from '../src/claim-history.ts';

test('ClaimHistory tells the rate of the window and of its last tenth, and forgets what is older', () => {
  const history = new ClaimHistory(60_000);
  for (let ms = 0; ms < 60_000; ms += 100) history.add(ms, 30, 8);
  const busy = history.observe(59_950);
  assert.deepEqual([busy.claimsPerSecondShort, busy.claimsPerSecondLong], [10, 10]);
  const later = history.observe(69_950);
  assert.equal(later.claimsPerSecondShort, 0);
  assert.ok(Math.abs(later.claimsPerSecondLong - 500 / 60) < 0.2);
  assert.deepEqual(history.observe(120_000), { claimsPerSecondShort: 0, claimsPerSecondLong: 0, burst: 0 });
});

test('ClaimHistory tells how many claims came within one replacement, as far as it matters', () => {
  const history = new ClaimHistory(60_000);
  for (const ms of [1000, 1010, 1020, 1060, 1070]) history.add(ms, 30, 8);
  assert.equal(history.observe(1100).burst, 3);
  for (let count = 0; count < 100; count++) history.add(2000, 30, 8);
  assert.equal(history.observe(2000).burst, 8);
  assert.equal(history.observe(61_000).burst, 8);
  assert.equal(history.observe(62_100).burst, 0);
});

test('ClaimHistory keeps what it has when the clock stands still, and nothing of a long pause', () => {
  const history = new ClaimHistory(6000);
  history.add(50, 30, 8);
  history.add(50, 30, 8);
  assert.equal(history.observe(50).burst, 2);
  history.add(10_000_000, 30, 8);
  assert.deepEqual(history.observe(10_000_000).burst, 1);
});
