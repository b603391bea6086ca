import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { obedient } from './fakes/programs.ts';

test('A burst makes no more containers than its concurrent calls need, those on their way counted', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ concurrency: 10, maxContainers: 100 });
  using gate = bench.holdForks();
  for (let count = 0; count < 95; count++) bench.call(version, '/never');
  await bench.clock.advance(10);
  assert.equal(bench.driver.creating, 10);
  // Later ones of the same burst fill the last one that is on its way, then need one more.
  for (let count = 0; count < 6; count++) bench.call(version, '/never');
  await bench.clock.advance(10);
  assert.equal(bench.driver.creating, 11);
  gate.release();
  await bench.until(() => bench.driver.claimed.length === 11, 'all are claimed');
  const open = bench.driver.made.reduce((sum, container) => sum + container.open.size, 0);
  assert.deepEqual([open, bench.driver.aliveMax], [101, 11]);
});

test('A burst on a pool that is being filled takes what is being made, and makes only the rest', async () => {
  await using bench = await Bench.open(obedient, { poolMin: 4, poolMax: 8, poolParallel: 4, poolWarmMb: [256] });
  using gate = bench.holdForks();
  await bench.clock.advance(0);
  assert.equal(bench.driver.creating, 4);
  const version = versionOf({ maxContainers: 20 });
  for (let count = 0; count < 10; count++) bench.call(version, '/never');
  await bench.clock.advance(200);
  assert.equal(bench.driver.creating, 10, 'one for each call, none for the pool before they are there');
  gate.release();
  await bench.until(() => bench.driver.claimed.length === 10, 'each call has one');
  await bench.clock.advance(100);
  const [pool] = (await bench.scheduler.snapshot()).pools;
  assert.deepEqual([pool?.parked, pool?.target, bench.driver.alive.size], [8, 8, 18]);
});
