import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient } from './fakes/programs.ts';

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
