import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKinds, planFaults, randomOf } from './fault-plan.ts';

test('Faults are the same for the same seed, and others for another', () => {
  const plan = planFaults(randomOf(7), 50);
  assert.deepEqual(planFaults(randomOf(7), 50), plan);
  assert.notDeepEqual(planFaults(randomOf(8), 50), plan);
});

test('Faults are of every kind, at moments all over the events, in their order', () => {
  const plan = planFaults(randomOf(1), 200);
  assert.deepEqual(new Set(plan.map(({ kind }) => kind)), new Set(faultKinds));
  const shares = plan.map(({ share }) => share);
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => a - b),
  );
  for (let tenth = 0; tenth < 10; tenth++) assert.ok(shares.some((share) => Math.floor(share * 10) === tenth));
  const chosen = planFaults(randomOf(1), 20, ['kill-both']);
  assert.ok(chosen.every(({ kind }) => kind === 'kill-both'));
});
