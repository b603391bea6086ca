import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, asyncProperty, integer, record } from 'fast-check';
import { fixed, greedyDual, hybrid, type PolicyMaker } from '../../src/simulate/policies.ts';
import { type Outcome, replay } from '../../src/simulate/replay.ts';
import type { SizedTrace } from '../../src/simulate/read-trace.ts';
import { callsOf, traceOf } from './traces.ts';

/** Cold starts, idle GB·s and seconds of starts. */
async function told(trace: SizedTrace, maker: PolicyMaker): Promise<[number, number, number[]]> {
  const { coldStarts, wastedGbSeconds, startsMs } = await replay(trace, maker());
  return [coldStarts, wastedGbSeconds, [...startsMs].map((startMs) => startMs / 1000)];
}

test('replay: a fixed keep-alive spares the calls that come in time, and costs until then or until its end', async () => {
  const trace = traceOf([1024], callsOf(0, [0, 1], [5, 6], [30, 31]));
  assert.deepEqual(await told(trace, fixed(0)), [3, 0, [0, 5, 30]]);
  assert.deepEqual(await told(trace, fixed(10_000)), [2, 14, [0, 30]]);
  assert.deepEqual(await told(trace, fixed(60_000)), [1, 28, [0]]);
});

test('replay: calls at the same time need a container each, and idle ones count until the trace ends', async () => {
  const trace = traceOf([512], callsOf(0, [0, 2], [1, 3], [4, 9]));
  // The one that became idle last is used: the other one waits from 2 to 9.
  assert.deepEqual(await told(trace, fixed(60_000)), [2, (1 + 7) / 2, [0, 1]]);
});

test('replay: a call that comes the moment another ends finds its container', async () => {
  const trace = traceOf([1024], callsOf(0, [0, 2], [2, 3]));
  assert.deepEqual(await told(trace, fixed(1000)), [1, 0, [0]]);
});

test('replay: with no memory to spare a container goes for that of another function', async () => {
  const trace = traceOf([512, 512], [...callsOf(0, [0, 1], [4, 5]), ...callsOf(1, [2, 3])]);
  assert.deepEqual(await told(trace, greedyDual(1024)), [2, (3 + 2) / 2, [0, 2]]);
  assert.deepEqual(await told(trace, greedyDual(512)), [3, (1 + 1) / 2, [0, 2, 4]]);
  assert.deepEqual(await told(trace, greedyDual(100)), [3, 0, [0, 2, 4]]);
});

test('replay: greedy-dual keeps the function that is called most', async () => {
  const often = callsOf(0, [0, 1], [2, 3], [4, 5], [10, 11]);
  const seldom = [...callsOf(1, [6, 7]), ...callsOf(2, [8, 9])];
  const { startsMs } = await replay(traceOf([512, 512, 512], [...often, ...seldom]), greedyDual(1024)());
  assert.deepEqual([...startsMs], [0, 6000, 8000], 'the last call of the first one found its container');
});

test('replay: the hybrid histogram loads a container before a regular call, and has none in between', async () => {
  const hourly = Array.from({ length: 30 }, (_, hour) => [hour * 3600, hour * 3600 + 1] as const);
  const trace = traceOf([1024], callsOf(0, ...hourly));
  const [cold, wasted] = await told(trace, hybrid());
  // The first call, and ten that teach.
  assert.equal(cold, 11);
  const [, wastedFixed] = await told(trace, fixed(3_600_000));
  assert.ok(wasted < wastedFixed / 4, `${wasted} of ${wastedFixed} GB·s`);
});

test('replay: keeping longer never makes more cold starts nor wastes less', async () => {
  const call = record({
    target: integer({ min: 0, max: 3 }),
    atMs: integer({ min: 0, max: 100_000 }),
    durationMs: integer({ min: 0, max: 5000 }),
  });
  await check(
    asyncProperty(array(call, { minLength: 1, maxLength: 80 }), integer({ min: 0, max: 20_000 }), async (calls, ms) => {
      const trace = traceOf([64, 128, 256, 512], calls);
      const outcomes: Outcome[] = [];
      for (const keepAliveMs of [0, ms, ms * 2, Infinity]) outcomes.push(await replay(trace, fixed(keepAliveMs)()));
      for (const [at, outcome] of outcomes.entries()) {
        const before = outcomes[at - 1];
        assert.equal(outcome.calls, calls.length);
        assert.equal(outcome.startsMs.length, outcome.coldStarts);
        assert.ok(outcome.coldStarts <= (before?.coldStarts ?? calls.length));
        assert.ok(outcome.wastedGbSeconds >= (before?.wastedGbSeconds ?? 0) - 1e-9);
      }
      assert.equal(outcomes[0]?.coldStarts, calls.length);
      assert.deepEqual(await replay(trace, greedyDual(1e9)()), outcomes.at(-1));
    }),
  );
});
