import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello } from './fakes/programs.ts';

/** Bins of 100 ms. */
const settings = { keepAliveMs: 300, keepAliveMaxMs: 24_000, freezeAfterMs: 100 };
const EVERY_MS = 2050;
/** From the last call on: the lower bound of the bin of EVERY_MS, less a tenth; and the upper one, and a tenth. */
const PRELOAD_MS = 1800;
const END_MS = 2310;

/** Calls at an interval, as often as it takes to learn from, and once more. */
async function learn(bench: Bench, version = versionOf(), everyMs = EVERY_MS): Promise<void> {
  await bench.called(version);
  for (let count = 0; count < 10; count += 1) {
    await bench.clock.advance(everyMs);
    await bench.called(version);
  }
}

const loaded = (bench: Bench): number => [...bench.driver.alive].filter(({ isLoaded }) => isLoaded).length;

test('a function that is called at an interval is loaded shortly before its next call, and goes in between', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  await bench.clock.advance(PRELOAD_MS - 1);
  assert.equal(loaded(bench), 0);
  await bench.clock.advance(1);
  await bench.until(() => loaded(bench) === 1, 'it is loaded');
  await bench.clock.advance(EVERY_MS - PRELOAD_MS);
  assert.equal((await bench.called()).response?.start, 'warm');
  assert.deepEqual(bench.observer.preloads, ['useful']);
  const { functions } = await bench.scheduler.snapshot();
  assert.deepEqual(functions[0]?.keepAlive, {
    preloadAfterMs: PRELOAD_MS,
    keepAliveMs: END_MS - PRELOAD_MS,
    isLearned: true,
  });
});

test('with the fixed policy, and with a keepAliveMs of its own, nothing is learned', async () => {
  for (const [policy, config] of [
    ['fixed', {}],
    ['learned', { keepAliveMs: 300 }],
  ] as const) {
    await using bench = await Bench.open(hello, { ...settings, keepAlivePolicy: policy });
    await learn(bench, versionOf(config));
    await bench.clock.advance(299);
    assert.equal(loaded(bench), 1);
    await bench.clock.advance(1);
    assert.equal(loaded(bench), 0);
    await bench.clock.advance(EVERY_MS - 300);
    assert.equal(loaded(bench), 0);
    assert.equal((await bench.called(versionOf(config))).response?.start, 'cold');
    assert.deepEqual(bench.observer.preloads, []);
  }
});
