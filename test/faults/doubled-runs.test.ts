import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertDoubledByKills } from './doubled-runs.ts';
import { Outcomes } from './outcomes.ts';

const runAt = (beganMs: number) => ({ id: 'id', answer: `${beganMs}`, beganMs });
const kill = { kind: 'kill-server', struckMs: 20, overMs: 30 };

test('A run that is made again is excused by a kill after its beginning, and by no other', () => {
  assert.equal(assertDoubledByKills('k', [runAt(10)], []), 0);
  assert.equal(assertDoubledByKills('k', [runAt(40), runAt(10)], [kill]), 1);
  assert.equal(assertDoubledByKills('k', [runAt(25), runAt(26)], [kill]), 1);
  assert.throws(() => assertDoubledByKills('k', [runAt(10), runAt(15)], [kill]), /without a kill/);
  assert.throws(() => assertDoubledByKills('k', [runAt(31), runAt(40)], [kill]), /without a kill/);
  assert.throws(() => assertDoubledByKills('k', [runAt(10), runAt(40), runAt(50)], [kill]), /without a kill/);
});

test('An outcome that differs from what was told before is noticed', () => {
  const outcomes = new Outcomes();
  outcomes.note('k', '200 a');
  outcomes.note('k', '200 a');
  assert.equal(outcomes.of('k'), '200 a');
  assert.equal(outcomes.count, 2);
  assert.throws(() => outcomes.note('k', '200 b'), assert.AssertionError);
});
