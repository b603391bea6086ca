import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FunctionConfig, FrameType } from '@hob/contracts';
import { Bench, type Call, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { load, respond } from './fakes/programs.ts';

const START_MS = 15;
const CALL_MS = 20;
const CONTAINERS = 4;
const STEP_MS = 2;

/** Loads after a while, and answers after another one. */
function takingTime(clock: () => Bench['clock'], callMs: number): Program {
  return (frame, container) => {
    if (frame.type === FrameType.CODE) clock().after(START_MS, () => load(frame, container));
    if (frame.type !== FrameType.INVOKE) return;
    const { stream } = frame;
    clock().after(container.isLoaded ? callMs : START_MS + callMs, () => respond(container, stream));
  };
}

async function timedBench(callMs = CALL_MS, config: Parameters<typeof Bench.open>[1] = {}): Promise<Bench> {
  const box: { bench?: Bench } = {};
  const clock = (): Bench['clock'] => (box.bench as Bench).clock;
  return (box.bench = await Bench.open(takingTime(clock, callMs), config));
}

/** A call of a flood, and when it came, ms. */
interface Came {
  readonly call: Call;
  readonly atMs: number;
}

/** So many calls a second, evenly, for so long. */
async function flood(
  bench: Bench,
  config: Partial<FunctionConfig>,
  perSecond: number,
  seconds: number,
): Promise<Came[]> {
  const version = versionOf({ maxContainers: CONTAINERS, timeoutMs: 100_000, ...config });
  const came: Came[] = [];
  for (let ms = 0; ms < 1000 * seconds; ms += STEP_MS) {
    const due = Math.floor((perSecond * (ms + STEP_MS)) / 1000) - came.length;
    for (let count = 0; count < due; count += 1) came.push({ call: bench.call(version), atMs: bench.clock.nowMs() });
    await bench.clock.advance(STEP_MS);
  }
  return came;
}

const isServed = ({ call }: Came): boolean => call.ends === 1 && call.error === undefined;

/** How long a served call took, from its receipt, ms. */
function tookMs(bench: Bench, { call }: Came): number {
  const { queueMs, createMs, loadMs, runMs } = bench.receipt(call);
  return queueMs + createMs + loadMs + runMs;
}

const kinds = [
  { name: 'warm containers', config: {}, capacity: (1000 * CONTAINERS) / CALL_MS },
  {
    name: 'a fresh container for each call',
    config: { reuse: 'never' },
    capacity: (1000 * CONTAINERS) / (START_MS + CALL_MS),
  },
] as const;

for (const { name, config, capacity } of kinds) {
  test(`At five times the load that ${name} can take, as many are served as can be, the rest is refused at once`, async () => {
    await using bench = await timedBench();
    const first = flood(bench, config, 10, 0.2);
    await bench.until(() => bench.driver.claimed.length > 0, 'the code was read');
    await first;
    const calls = await flood(bench, config, 5 * capacity, 12);
    const servedBy = calls.filter(isServed).length;
    assert.ok(servedBy >= 0.85 * 12 * capacity, `${servedBy} served of ${12 * capacity} that can be`);
    const open = calls.filter(({ call }) => call.ends === 0).length;
    assert.ok(open <= capacity, `${open} wait, more than are served in a second`);
    const errors = new Set(calls.map(({ call }) => call.error?.code));
    assert.deepEqual(errors, new Set([undefined, 'ERR_SCHED_QUEUE_FULL']));
    const waits = bench.observer.receipts.filter(({ outcome }) => outcome !== 'ok').map(({ queueMs }) => queueMs);
    assert.deepEqual([...new Set(waits)], [0], 'it is told at once');
    await bench.clock.advance(2000);
    const quiet = await flood(bench, config, 10, 1);
    await bench.clock.advance(100);
    for (const came of quiet) assert.ok(isServed(came) && tookMs(bench, came) <= START_MS + CALL_MS + STEP_MS);
  });
}

test('A burst may wait for as long as any call', async () => {
  await using bench = await timedBench();
  const version = versionOf({ maxContainers: CONTAINERS, timeoutMs: 100_000 });
  const calls = await flood(bench, {}, 10, 0.2);
  await bench.until(() => bench.driver.claimed.length > 0, 'the code was read');
  await bench.clock.advance(1000);
  for (let count = 0; count < 400; count += 1) calls.push({ call: bench.call(version), atMs: bench.clock.nowMs() });
  await bench.clock.advance((400 * CALL_MS) / CONTAINERS + START_MS);
  assert.equal(calls.filter((came) => !isServed(came)).length, 0);
});

test('Nor does a burst wait that could not be served in time', async () => {
  await using bench = await timedBench(CALL_MS, { queueTimeoutMs: 2000 });
  await flood(bench, {}, 10, 0.2);
  await bench.until(() => bench.driver.claimed.length > 0, 'the code was read');
  await flood(bench, {}, 300, 1); // so that it is known how fast they are served
  await bench.clock.advance(1000);
  const burst = await flood(bench, {}, 40_000, 0.05);
  await bench.clock.advance(20_000);
  assert.deepEqual(new Set(burst.map(({ call }) => call.error?.code)), new Set([undefined, 'ERR_SCHED_QUEUE_FULL']));
});

test('Before a call of a version was served calls wait, however many come', async () => {
  await using bench = await timedBench(5000);
  const calls = await flood(bench, {}, 100, 4);
  assert.equal(calls.filter(({ call }) => call.error !== undefined).length, 0);
});

test('Of slow calls as many may always wait as run', async () => {
  await using bench = await timedBench(2000);
  const calls = await flood(bench, {}, 1, 20);
  await bench.until(() => bench.driver.claimed.length > 0, 'the code was read');
  await bench.clock.advance(20_000);
  assert.equal(calls.filter((came) => !isServed(came)).length, 0);
  const crowd = await flood(bench, {}, 4, 20);
  await bench.clock.advance(4000);
  const waits = crowd.filter(isServed).map(({ call }) => bench.receipt(call).queueMs);
  assert.ok(Math.max(...waits) > 500 && Math.max(...waits) <= 4000 + START_MS, `${Math.max(...waits)} ms`);
  assert.ok(crowd.some(({ call }) => call.error?.code === 'ERR_SCHED_QUEUE_FULL'));
});

test('A flood is no new burst whenever for a moment nobody waits', async () => {
  await using bench = await timedBench(1000);
  const begin = await flood(bench, {}, 1, 2);
  await bench.until(() => bench.driver.claimed.length > 0, 'the code was read');
  // All containers come free at the same time, and take all that wait.
  await flood(bench, {}, 8000, 0.002);
  const calls = await flood(bench, {}, 50, 30);
  await bench.clock.advance(10_000);
  const startMs = begin[0]?.atMs ?? 0;
  const late = calls.filter((came) => isServed(came) && came.atMs - startMs > 15_000);
  const waits = late.map(({ call }) => bench.receipt(call).queueMs);
  assert.ok(waits.length > 0 && Math.max(...waits) <= 2000 + START_MS, `${Math.max(...waits)} ms`);
});
