import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient } from './fakes/programs.ts';

const MB = 2 ** 20;

const named = (name: string) => versionOf({ name });

test('Fleet ends the idle container that was used longest ago when containersMax is reached', async () => {
  await using bench = await Bench.open(hello, { containersMax: 2 });
  await bench.called(named('one'));
  await bench.clock.advance(10);
  await bench.called(named('two'));
  await bench.clock.advance(10);
  await bench.called(named('one'));
  await bench.called(named('three'));
  assert.deepEqual(bench.observer.deaths, [{ function: 'two', cause: 'reclaimed', cpuSeconds: 0.25 }]);
  assert.equal(bench.driver.aliveMax, 2);
});

test('Fleet ends the container that is called more seldom, even if it was called last, until it is called no more', async () => {
  await using bench = await Bench.open(hello, { containersMax: 2 });
  for (let count = 0; count < 5; count += 1) await bench.called(named('often'));
  await bench.clock.advance(10);
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await bench.called(named(name));
    await bench.clock.advance(10);
  }
  const ended = bench.observer.deaths.map(({ function: name }) => name);
  assert.deepEqual(ended.slice(0, 3), ['a', 'b', 'c']);
  for (const name of ['f', 'g', 'h']) await bench.called(named(name));
  assert.ok(bench.observer.deaths.some(({ function: name }) => name === 'often'));

  await bench.called(named('often'));
  bench.observer.deaths.splice(0);
  for (const name of ['i', 'j']) await bench.called(named(name));
  assert.ok(
    bench.observer.deaths.some(({ function: name }) => name === 'often'),
    'and it begins anew',
  );
});

test('Fleet ends the container that takes more memory, or is loaded again sooner, of those called as often', async () => {
  for (const lesser of [{ memoryPeakBytes: 9 * MB }, { loadMs: 19 }, {}]) {
    await using bench = await Bench.open(hello, { containersMax: 2 });
    const traits = (id: string) => ({ memoryPeakBytes: 8 * MB, loadMs: 20, ...(id === 'fake-2' && lesser) });
    bench.driver.onMade = (container) => {
      container.used = { cpuMs: 10, memoryPeakBytes: traits(container.id).memoryPeakBytes };
    };
    bench.driver.program = (frame, container) => {
      bench.clock.after(traits(container.id).loadMs, () => hello(frame, container));
    };
    for (const [at, name] of ['first', 'second', 'third'].entries()) {
      const call = bench.call(named(name));
      await bench.until(() => bench.driver.claimed.length === at + 1, 'it is sent the code');
      await bench.clock.advance(50);
      assert.equal(call.ends, 1);
    }
    const [ended] = bench.observer.deaths;
    assert.equal(ended?.function, Object.keys(lesser).length > 0 ? 'second' : 'first', JSON.stringify(lesser));
  }
});

test('Fleet ends idle containers under memory pressure, those worth least first, but none of minWarm', async () => {
  await using bench = await Bench.open(hello, { keepAliveMs: 1_000_000, freezeAfterMs: 1_000_000 });
  bench.driver.onMade = (container) => (container.used = { cpuMs: 10, memoryPeakBytes: 8 * MB });
  const kept = versionOf({ name: 'kept', minWarm: 1 });
  bench.scheduler.replaced(kept);
  await bench.called(kept);
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) {
    for (let count = 0; count <= at; count += 1) await bench.called(named(name));
  }
  const ended = (): string[] => bench.observer.deaths.map(({ function: name }) => name);
  await bench.clock.advance(5000);
  assert.deepEqual(ended(), []);
  bench.memory.reading = { totalBytes: 16e9, availableBytes: 12e9, pressurePercent: 10 };
  // Read in the first second, and looked at in the next one.
  await bench.clock.advance(1000);
  assert.deepEqual(ended(), ['a']);
  await bench.clock.advance(1000);
  assert.deepEqual(ended(), ['a', 'b']);
  bench.memory.reading = { totalBytes: 16e9, availableBytes: 12e9, pressurePercent: 0 };
  await bench.clock.advance(5000);
  assert.deepEqual(ended(), ['a', 'b']);
  bench.memory.reading = { totalBytes: 16e9, availableBytes: 0, pressurePercent: undefined };
  await bench.clock.advance(1000);
  assert.deepEqual(ended(), ['a', 'b', 'c', 'd']);
  assert.equal(bench.driver.alive.size, 1);
});

test('Fleet lets a call wait when every container is busy, and serves it when one becomes idle', async () => {
  await using bench = await Bench.open(obedient, { containersMax: 1 });
  const busy = bench.call(named('one'), '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  const waiting = bench.call(named('two'));
  await bench.clock.advance(10);
  assert.equal(waiting.ends, 0);
  busy.handle?.cancel('cancelled');
  await bench.until(() => waiting.ends === 1, 'it is served');
  assert.equal(waiting.body, 'hello');
  assert.equal(bench.driver.aliveMax, 1);
});

test('Fleet gives up a parked container of another class for a call', async () => {
  await using bench = await Bench.open(hello, { containersMax: 1, poolMin: 1, poolMax: 1, poolWarmMb: [512] });
  await bench.clock.advance(0);
  assert.equal(bench.driver.alive.size, 1);
  const call = await bench.called(versionOf({ memoryMb: 128 }));
  assert.equal(call.body, 'hello');
  assert.equal(bench.driver.aliveMax, 1);
});
