import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, integer, property, record } from 'fast-check';
import { Pace } from '../src/pace.ts';

/** A pace that has seen calls and starts. */
function paceOf(callMs: number, startMs: number): Pace {
  const pace = new Pace();
  pace.served(callMs);
  pace.started(startMs);
  return pace;
}

const noWait = (calls: number) => Array.from({ length: calls }, () => 0);

test('Pace: while nothing is known, or nobody serves, every call needs a container', () => {
  assert.equal(new Pace().late({ waitedMs: noWait(3), slots: 1, lateMax: 99 }), 3);
  assert.equal(paceOf(1, 100).late({ waitedMs: noWait(3), slots: 0, lateMax: 99 }), 3);
});

test('Pace: calls that are served sooner than a container starts need none', () => {
  const pace = paceOf(1, 10);
  assert.equal(pace.late({ waitedMs: noWait(9), slots: 1, lateMax: 99 }), 0);
  assert.equal(pace.late({ waitedMs: noWait(12), slots: 1, lateMax: 99 }), 3);
  assert.equal(pace.late({ waitedMs: noWait(12), slots: 2, lateMax: 99 }), 0);
});

test('Pace: a call that has waited for as long as a start takes needs a container, however fast others were', () => {
  assert.equal(paceOf(0.1, 10).late({ waitedMs: [10, 3], slots: 1, lateMax: 99 }), 1);
});

test('Pace follows what it sees', () => {
  const pace = paceOf(1, 10);
  for (let count = 0; count < 50; count += 1) pace.served(40);
  assert.equal(pace.late({ waitedMs: noWait(1), slots: 1, lateMax: 99 }), 1);
});

test('Pace never finds more calls late than there are, nor fewer when one waits longer or fewer serve', () => {
  const ms = integer({ min: 0, max: 1000 });
  const line = record({ waits: array(ms, { maxLength: 20 }), slots: integer({ min: 1, max: 9 }) });
  check(
    property(ms, ms, line, (callMs, startMs, { waits, slots }) => {
      const pace = paceOf(callMs, startMs);
      const waitedMs = waits.toSorted((a, b) => b - a);
      const late = pace.late({ waitedMs, slots, lateMax: 99 });
      assert.ok(late >= 0 && late <= waits.length);
      assert.equal(pace.late({ waitedMs, slots, lateMax: 3 }), Math.min(late, 3));
      assert.ok(pace.late({ waitedMs: waitedMs.map((wait) => wait + 1), slots, lateMax: 99 }) >= late);
      assert.ok(pace.late({ waitedMs, slots: slots - 1, lateMax: 99 }) >= late);
    }),
  );
});
