import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient } from './fakes/programs.ts';

/** Bins of 100 ms. */
const settings = { keepAliveMs: 300, keepAliveMaxMs: 24_000, freezeAfterMs: 100 };
const EVERY_MS = 2050;
/** From the last call on: the lower bound of the bin of EVERY_MS, less a tenth; and the upper one, and a tenth. */
const PRELOAD_MS = 1800;
const END_MS = 2310;

/** Calls at an interval, so often that one more call at another time changes nothing. */
async function learn(bench: Bench, version = versionOf(), everyMs = EVERY_MS): Promise<void> {
  await bench.called(version);
  for (let count = 0; count < 40; count += 1) {
    await bench.clock.advance(everyMs);
    await bench.called(version);
  }
  bench.observer.preloads.splice(0);
}

const loaded = (bench: Bench): number => [...bench.driver.alive].filter(({ isLoaded }) => isLoaded).length;

/** Lets the next call be near enough for a container to be loaded. */
async function preloaded(bench: Bench, afterMs = PRELOAD_MS): Promise<void> {
  await bench.clock.advance(afterMs);
  await bench.until(() => loaded(bench) === 1, 'one is loaded');
}

test('a function that is called at an interval is loaded shortly before its next call, and goes in between', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  await bench.clock.advance(PRELOAD_MS - 1);
  assert.equal(loaded(bench), 0);
  await preloaded(bench, 1);
  await bench.clock.advance(EVERY_MS - PRELOAD_MS);
  assert.equal((await bench.called()).response?.start, 'warm');
  assert.deepEqual(bench.observer.preloads, ['useful']);
  const [of] = (await bench.scheduler.snapshot()).functions;
  assert.deepEqual(of?.keepAlive, { preloadAfterMs: PRELOAD_MS, keepAliveMs: END_MS - PRELOAD_MS, isLearned: true });
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
    assert.equal((await bench.called(versionOf(config))).response?.start, 'cold');
    assert.deepEqual(bench.observer.preloads, []);
  }
});

test('a function that is called again within keepAliveMs stays loaded, as long as its calls say', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench, versionOf(), 250);
  assert.equal(bench.driver.made.length, 1);
  await bench.clock.advance(329);
  assert.equal(loaded(bench), 1);
  await bench.clock.advance(1);
  assert.equal(loaded(bench), 0);
  await bench.clock.advance(60_000);
  assert.equal(bench.driver.made.length, 1, 'and it is not loaded in advance');
});

test('one container is kept for the calls that are learned of, the others for keepAliveMs', async () => {
  await using bench = await Bench.open(obedient, settings);
  const version = versionOf({ timeoutMs: 60_000 });
  for (let round = 0; round < 20; round += 1) {
    await bench.called(version);
    await bench.clock.advance(10);
    await bench.called(version);
    await bench.clock.advance(EVERY_MS);
  }
  const three = [0, 1, 2].map(() => bench.call(version, '/polite'));
  await bench.clock.advance(50);
  for (const call of three) call.handle?.cancel('cancelled');
  await bench.clock.advance(299);
  assert.equal(loaded(bench), 3);
  await bench.clock.advance(1);
  assert.equal(loaded(bench), 1);
  await bench.clock.advance(EVERY_MS - 300);
  assert.equal((await bench.called(version)).response?.start, 'warm');
  assert.deepEqual(bench.observer.preloads, []);
});

test('a container that no call comes to goes when its time is over, and none is loaded until the next call', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  await preloaded(bench);
  await bench.clock.advance(END_MS - PRELOAD_MS - 1);
  assert.equal(loaded(bench), 1);
  await bench.clock.advance(1);
  assert.equal(loaded(bench), 0);
  const made = bench.driver.made.length;
  await bench.clock.advance(100_000);
  assert.equal(bench.driver.made.length, made);
  assert.deepEqual(bench.observer.preloads, ['wasted']);
  assert.deepEqual((await bench.scheduler.snapshot()).functions, [], 'and nothing is kept of the version');
});

test('idle containers stay while another call of the function runs', async () => {
  await using bench = await Bench.open(obedient, settings);
  const version = versionOf({ timeoutMs: 60_000 });
  await learn(bench, version);
  const long = bench.call(version, '/polite');
  const short = bench.call(version);
  await bench.clock.advance(250);
  assert.equal(short.ends, 1);
  assert.equal(loaded(bench), 2);
  long.handle?.cancel('cancelled');
  await bench.clock.advance(100);
  assert.equal(loaded(bench), 0, 'then they go');
});

test('a call that comes while a container is loaded in advance gets it', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  const made = bench.driver.made.length;
  using gate = bench.holdForks();
  await bench.clock.advance(PRELOAD_MS);
  const call = bench.call();
  gate.release();
  await bench.until(() => call.ends === 1, 'it is served');
  assert.equal(bench.driver.made.length, made + 1);
  assert.deepEqual(bench.observer.preloads, ['useful']);
});

test('an unexpected call moves the container that is loaded in advance', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  await bench.clock.advance(1000);
  assert.equal((await bench.called()).response?.start, 'cold');
  await bench.clock.advance(PRELOAD_MS - 1);
  assert.equal(loaded(bench), 0);
  await preloaded(bench, 1);
});

test('a new version knows what was learned, and is loaded in advance for its predecessor', async () => {
  await using bench = await Bench.open(hello, settings);
  const next = versionOf({}, 2);
  await learn(bench);
  await bench.clock.advance(1000);
  bench.scheduler.replaced(next);
  await preloaded(bench, PRELOAD_MS - 1000);
  assert.deepEqual([...bench.driver.alive][0]?.claims, ['greet@2']);
  await bench.clock.advance(EVERY_MS - PRELOAD_MS);
  assert.equal((await bench.called(next)).response?.start, 'warm');

  await preloaded(bench);
  bench.scheduler.replaced(versionOf({}, 3));
  await bench.clock.advance(0);
  await bench.until(() => bench.driver.made.at(-1)?.claims[0] === 'greet@3' && loaded(bench) === 1, 'at once');
  assert.deepEqual(bench.observer.preloads, ['useful', 'wasted']);
  bench.scheduler.replaced(versionOf({ keepAliveMs: 300 }, 4));
  await bench.until(() => bench.driver.alive.size === 0, 'nor is one loaded that does not learn');
});

test('a version that is not live is not loaded in advance, until it is again', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  bench.scheduler.replaced(versionOf({}, 2));
  await bench.called();
  await bench.clock.advance(EVERY_MS);
  assert.equal(loaded(bench), 1, 'it is kept in place of it');
  assert.equal((await bench.called()).response?.start, 'warm');
  bench.scheduler.replaced(versionOf());
  await bench.clock.advance(100);
  assert.equal(loaded(bench), 0);
  await preloaded(bench, PRELOAD_MS - 100);
});

test('nothing is loaded in advance with reuse "never", or beside minWarm', async () => {
  await using bench = await Bench.open(hello, settings);
  const fresh = versionOf({ name: 'fresh', reuse: 'never' });
  await learn(bench, fresh);
  await bench.clock.advance(EVERY_MS);
  assert.equal(bench.driver.alive.size, 0);
  const warm = versionOf({ name: 'warm', minWarm: 1 });
  bench.scheduler.replaced(warm);
  await learn(bench, warm);
  await bench.clock.advance(EVERY_MS);
  assert.equal(loaded(bench), 1);
  assert.equal(bench.driver.claimed.filter(({ claims }) => claims[0] === 'warm@1').length, 1);
  assert.deepEqual(bench.observer.preloads, []);
});

test('a container is loaded in advance from the pool, and only where there is room that nobody waits for', async () => {
  const pool = { poolMin: 1, poolMax: 1, poolWarmMb: [256] };
  await using bench = await Bench.open(obedient, { ...settings, ...pool, containersMax: 2 });
  await learn(bench);
  await bench.clock.advance(PRELOAD_MS - 1);
  const { made } = bench.driver;
  const before = made.length;
  assert.equal(made.at(-1)?.claims.length, 0, 'one is parked');
  await bench.clock.advance(1);
  assert.deepEqual(made[before - 1]?.claims, ['greet@1']);

  await bench.called();
  await bench.clock.advance(PRELOAD_MS - 1);
  const other = versionOf({ name: 'other', timeoutMs: 60_000 });
  const long = [bench.call(other, '/polite'), bench.call(other, '/polite'), bench.call(other, '/polite')];
  await bench.clock.advance(1000);
  assert.deepEqual(
    [...bench.driver.alive].map(({ claims }) => claims[0]),
    ['other@1', 'other@1'],
  );
  for (const call of long) call.handle?.cancel('cancelled');
});

test('nothing is loaded in advance while memory is short', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  const { reading } = bench.memory;
  assert.ok(reading);
  bench.memory.reading = { ...reading, pressurePercent: 10 };
  const made = bench.driver.made.length;
  await bench.clock.advance(EVERY_MS);
  assert.equal(bench.driver.made.length, made);
  assert.equal((await bench.called()).response?.start, 'cold');
  bench.memory.reading = reading;
  await preloaded(bench);
});

test('a removed function, and one whose scheduler closes, are loaded no more', async () => {
  await using bench = await Bench.open(hello, settings);
  await learn(bench);
  await bench.scheduler.removed('greet');
  const made = bench.driver.made.length;
  await bench.clock.advance(EVERY_MS);
  assert.equal(bench.driver.made.length, made);
  await bench.called();
  assert.deepEqual((await bench.scheduler.snapshot()).functions[0]?.keepAlive.isLearned, false, 'and it is forgotten');

  const other = versionOf({ name: 'other' });
  await learn(bench, other);
  const before = bench.driver.made.length;
  await bench.scheduler.close();
  await bench.clock.advance(EVERY_MS);
  assert.equal(bench.driver.made.length, before);
});
