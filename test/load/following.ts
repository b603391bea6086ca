import { writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FreshCall, FreshCalls, type PoolReading } from './fresh-calls.ts';
import { type Second, secondsOf } from './seconds.ts';
import { svgPlot } from './svg-plot.ts';

const POOL_MIN = 1;
const WINDOW_MS = 10_000;
const settings = { HOB_POOL_MIN: `${POOL_MIN}`, HOB_POOL_MAX: '32', HOB_POOL_WINDOW_MS: `${WINDOW_MS}` };
const RATE_LOW = 2;
/** The highest rate is this part of what the host can do: what is looked at is the pool, not a host that is overloaded. */
const HIGH_SHARE = 0.6;
const CAPACITY_S = 5;
const STEADY_S = 5;
const RAMP_S = 20;
const LOAD_S = 3 * STEADY_S + 2 * RAMP_S;
const READ_EVERY_MS = 200;
/** In a second with fewer calls a share says nothing. */
const CALLS_MANY = 5;
/** Calls come at random, so that some find no parked container however well the pool follows. */
const COLD_SHARE_MAX = 0.05;
/** The pool at rest is looked at for so long, too. */
const REST_MS = 3000;

/** How many calls a second are answered when each core always has one. */
async function capacity(load: FreshCalls): Promise<number> {
  const endMs = performance.now() + 1000 * CAPACITY_S;
  const callOnAndOn = async (): Promise<void> => {
    while (performance.now() < endMs) await load.call();
  };
  await Promise.all(cpus().map(callOnAndOn));
  return load.calls.length / CAPACITY_S;
}

/** Calls a second, so long after the beginning: low, rising, high, falling, low. */
function rateAt(second: number, rateHigh: number): number {
  const risen = Math.min(Math.max((second - STEADY_S) / RAMP_S, 0), 1);
  const fallen = Math.min(Math.max((second - 2 * STEADY_S - RAMP_S) / RAMP_S, 0), 1);
  return RATE_LOW + (rateHigh - RATE_LOW) * (risen - fallen);
}

/** Calls come at random, whether earlier ones were answered or not. */
async function callAtRandom(load: FreshCalls, rateHigh: number): Promise<void> {
  const startMs = performance.now();
  const running: Promise<void>[] = [];
  let nextMs = startMs;
  for (;;) {
    const second = (nextMs - startMs) / 1000;
    if (second >= LOAD_S) break;
    nextMs += (-Math.log(1 - Math.random()) / rateAt(second, rateHigh)) * 1000;
    await sleep(Math.max(0, nextMs - performance.now()));
    running.push(load.call());
  }
  await Promise.all(running);
}

async function readUntil(load: FreshCalls, done: Promise<unknown>): Promise<PoolReading[]> {
  const readings: PoolReading[] = [];
  const state = { isDone: false };
  void done.finally(() => (state.isDone = true));
  while (!state.isDone) {
    readings.push(await load.reading());
    await sleep(READ_EVERY_MS);
  }
  return readings;
}

/** What did not go as it should. */
function complaints(seconds: readonly Second[], calls: readonly FreshCall[]): string[] {
  const count = (start: string): number => calls.filter((call) => call.start === start).length;
  const grown = seconds.findIndex(({ target }) => target > POOL_MIN);
  const waited = seconds.findIndex((second) => second.calls >= CALLS_MANY && second.coldShare > 0.2);
  const said = [
    [count('error') > 0, `${count('error')} calls failed`],
    [grown < 0, 'the pool never grew'],
    [waited >= 0 && waited < grown, `calls waited from second ${waited} on, the pool grew in second ${grown}`],
    [
      count('cold') > COLD_SHARE_MAX * calls.length,
      `${count('cold')} of ${calls.length} calls found no parked container`,
    ],
    [seconds.at(-1)?.target !== POOL_MIN, 'the pool did not fall back to its min'],
  ] as const;
  return said.flatMap(([isSo, what]) => (isSo ? [what] : []));
}

async function draw(seconds: readonly Second[]): Promise<void> {
  const series = (name: string, colour: string, value: (second: Second) => number) => ({
    name,
    colour,
    points: seconds.map((second) => [second.second, value(second)] as const),
  });
  const shape = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
  const svg = svgPlot({
    title: `Calls that each need a container, and the pool (${shape})`,
    xTitle: 'seconds',
    panels: [
      { title: 'calls a second', series: [series('calls', '#1f77b4', ({ calls }) => calls)] },
      {
        title: 'pool',
        series: [
          series('target', '#2ca02c', ({ target }) => target),
          series('parked, at least', '#98df8a', ({ parked }) => parked),
        ],
      },
      {
        title: 'ms, p99 of each second',
        series: [
          series('whole call', '#d62728', ({ tookP99Ms }) => tookP99Ms),
          series('waiting', '#ff9896', ({ waitP99Ms }) => waitP99Ms),
        ],
      },
    ],
  });
  await writeFile(join(import.meta.dirname, 'RESULTS.svg'), svg);
}

/**
 * Calls that each need a container come faster and faster, then slower again. Says whether the pool followed, and draws it in
 * `RESULTS.svg`.
 *
 * @returns what did not go as it should: nothing when it followed, no call failed, and nothing was left.
 */
export async function loadRisingAndFalling(): Promise<string[]> {
  await using load = await FreshCalls.create(settings);
  await load.call();
  load.calls.length = 0;
  const most = await capacity(load);
  const rateHigh = Math.max(2 * RATE_LOW, HIGH_SHARE * most);
  console.log(`${most.toFixed(0)} calls a second are the most, up to ${rateHigh.toFixed(0)} come\n`);
  const before = await load.atRest(POOL_MIN);
  load.calls.length = 0;
  const startMs = performance.now();
  const done = callAtRandom(load, rateHigh)
    .then(() => load.atRest(POOL_MIN))
    .then(() => sleep(REST_MS));
  const readings = await readUntil(load, done);
  await done;
  const seconds = secondsOf({ calls: load.calls, readings, startMs });
  await draw(seconds);
  console.log(
    ['second', 'calls', 'target', 'parked', '% cold', 'wait', 'p99 ms'].map((head) => head.padStart(8)).join(''),
  );
  for (const { second, calls, coldShare, target, parked, waitP99Ms, tookP99Ms } of seconds) {
    const numbers = [calls, target, parked, Math.round(100 * coldShare), waitP99Ms.toFixed(1), tookP99Ms.toFixed(1)];
    console.log([second, ...numbers].map((value) => String(value).padStart(8)).join(''));
  }
  const after = await load.atRest(POOL_MIN);
  const said = complaints(seconds, load.calls);
  for (const part of ['processes', 'cgroups', 'mounts'] as const) {
    if (after[part].join() !== before[part].join())
      said.push(`${part}: ${after[part].length}, ${before[part].length} before`);
  }
  const starts = Map.groupBy(load.calls, ({ start }) => start);
  console.log([...starts].map(([start, calls]) => `${calls.length} ${start}`).join(', '));
  return said;
}
