import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameType } from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { hello, load } from './fakes/programs.ts';

const warm = (minWarm: number, version = 1, more = {}) => versionOf({ minWarm, ...more }, version);
const loaded = (bench: Bench) => [...bench.driver.alive].filter(({ isLoaded }) => isLoaded).length;

test('WarmFloor loads minWarm containers at deploy and at the start of hob, before any call', async () => {
  for (const tell of ['replaced', 'started'] as const) {
    await using bench = await Bench.open(hello);
    if (tell === 'replaced') bench.scheduler.replaced(warm(2));
    else bench.scheduler.started([warm(2), versionOf({ name: 'without' })]);
    await bench.until(() => loaded(bench) === 2, 'two are loaded');
    const call = await bench.called(warm(2));
    assert.equal(call.response?.start, 'warm');
    assert.equal(bench.driver.made.length, 2);
  }
});

test('WarmFloor keeps them however long they are idle, and more only for keepAliveMs', async () => {
  await using bench = await Bench.open(hello);
  const version = warm(1, 1, { keepAliveMs: 500 });
  bench.scheduler.replaced(version);
  await bench.until(() => loaded(bench) === 1, 'one is loaded');
  const calls = [bench.call(version), bench.call(version), bench.call(version)];
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  await bench.until(() => loaded(bench) === bench.driver.made.length, 'all are loaded');
  assert.ok(loaded(bench) > 1);
  await bench.clock.advance(501);
  assert.equal(loaded(bench), 1);
  await bench.clock.advance(3_600_000);
  assert.equal(loaded(bench), 1);
});

test('WarmFloor replaces a container that died', async () => {
  await using bench = await Bench.open(hello);
  bench.scheduler.replaced(warm(1, 1, { maxContainers: 1 }));
  await bench.until(() => loaded(bench) === 1, 'one is loaded');
  await bench.called(warm(1, 1, { maxContainers: 1 }));
  bench.driver.made[0]?.exit({ signal: 'SIGSEGV' });
  await bench.clock.advance(1000);
  await bench.until(() => loaded(bench) === 1, 'another one is loaded');
  assert.equal(bench.driver.made.length, 2);
});

test('WarmFloor does not start a function over and over that ends by itself', async () => {
  const dying: Program = (frame, container) => {
    if (load(frame, container) && container.isLoaded) container.exit({ code: 1 });
  };
  await using bench = await Bench.open(dying);
  bench.scheduler.replaced(warm(1));
  for (let second = 0; second < 60; second += 1) {
    await bench.clock.advance(1000);
    await bench.until(() => bench.driver.alive.size === 0, 'it has ended');
  }
  assert.ok(bench.driver.made.length > 1);
  assert.ok(bench.driver.made.length <= 5, `${bench.driver.made.length} containers in a minute`);
});

test('WarmFloor goes with its version: the next one has its own, and a removed function none', async () => {
  await using bench = await Bench.open(hello);
  bench.scheduler.replaced(warm(2));
  await bench.until(() => loaded(bench) === 2, 'two are loaded');
  bench.scheduler.replaced(warm(1, 2));
  await bench.until(() => bench.driver.alive.size === 1 && loaded(bench) === 1, 'only the one of the next is left');
  assert.deepEqual([...bench.driver.alive][0]?.claims, ['greet@2']);
  await bench.scheduler.removed('greet');
  await bench.clock.advance(60_000);
  assert.equal(bench.driver.alive.size, 0);
});

test('WarmFloor ends a container that was on its way when its version was superseded', async () => {
  await using bench = await Bench.open(hello);
  const gate = Promise.withResolvers<void>();
  bench.driver.gate = gate.promise;
  bench.scheduler.replaced(warm(1));
  bench.scheduler.replaced(versionOf({}, 2));
  gate.resolve();
  await bench.until(() => bench.observer.deaths.length === 1, 'it is gone');
  assert.equal(bench.driver.alive.size, 0);
  assert.equal(bench.driver.made[0]?.frames.filter(({ type }) => type === FrameType.INVOKE).length, 0);
});

test('WarmFloor waits for room rather than take it, and fills up when there is some', async () => {
  await using bench = await Bench.open(hello, { containersMax: 2, keepAliveMs: 5000 });
  await bench.called(versionOf({ name: 'other' }));
  bench.scheduler.replaced(warm(2));
  await bench.until(() => loaded(bench) === 2, 'one is loaded beside the other');
  await bench.clock.advance(7000);
  await bench.until(() => loaded(bench) === 2, 'both are loaded');
  assert.deepEqual(
    [...bench.driver.alive].map(({ claims }) => claims[0]),
    ['greet@1', 'greet@1'],
  );
});
