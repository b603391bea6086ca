import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKinds, hobFaultKinds, planFaults, randomOf } from './fault-plan.ts';

for (const [of, kinds] of [
  ['a queue', faultKinds],
  ['a whole hob', hobFaultKinds],
] as const) {
  test(`Faults of ${of} are the same for the same seed, and others for another`, () => {
    const plan = planFaults<string>(randomOf(7), 50, kinds);
    assert.deepEqual(planFaults<string>(randomOf(7), 50, kinds), plan);
    assert.notDeepEqual(planFaults<string>(randomOf(8), 50, kinds), plan);
  });
}

test('Faults are of every kind before any comes again, at moments all over the events, in their order', () => {
  const plan = planFaults(randomOf(1), 200, hobFaultKinds);
  for (let first = 0; first < plan.length; first += hobFaultKinds.length) {
    const dealt = plan.slice(first, first + hobFaultKinds.length).map(({ kind }) => kind);
    assert.deepEqual(new Set(dealt), new Set(hobFaultKinds));
  }
  const shares = plan.map(({ share }) => share);
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => a - b),
  );
  for (let tenth = 0; tenth < 10; tenth++) assert.ok(shares.some((share) => Math.floor(share * 10) === tenth));
});
