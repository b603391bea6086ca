import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PoolSnapshot } from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello } from './fakes/programs.ts';

async function pool(bench: Bench): Promise<PoolSnapshot | undefined> {
  return (await bench.scheduler.snapshot()).pools[0];
}

const settings = { poolMin: 2, poolMax: 4, poolWarmMb: [256], poolRefillDelayMs: 25 };

test('Pool is filled at start, and a call takes a parked container and no fork', async () => {
  await using bench = await Bench.open(hello, settings);
  await bench.clock.advance(0);
  assert.equal((await pool(bench))?.parked, 2);
  const call = await bench.called();
  assert.equal(call.response?.start, 'pool');
  assert.equal(call.response?.createMs, 0);
  assert.equal(bench.driver.made.length, 2);
});

test('Pool makes the replacement of a claimed container only after poolRefillDelayMs', async () => {
  await using bench = await Bench.open(hello, settings);
  await bench.clock.advance(0);
  await bench.called();
  await bench.clock.advance(24);
  assert.equal(bench.driver.made.length, 2);
  await bench.clock.advance(1);
  assert.equal(bench.driver.made.length, 3);
  assert.equal((await pool(bench))?.parked, 2);
});

test('Pool grows after claims that found it empty, up to poolMax, and shrinks again', async () => {
  await using bench = await Bench.open(hello, { ...settings, keepAliveMs: 1000 });
  await bench.clock.advance(0);
  const version = versionOf({ maxContainers: 16 });
  const calls = Array.from({ length: 12 }, () => bench.call(version));
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  assert.deepEqual(calls.map(({ response }) => response?.start).filter((start) => start === 'pool').length, 2);
  await bench.clock.advance(100);
  assert.equal((await pool(bench))?.parked, 4);
  await bench.clock.advance(5000);
  assert.equal((await pool(bench))?.parked, 2);
});

test('Pool replaces a parked container that died, and backs off while creating fails', async () => {
  await using bench = await Bench.open(hello, settings);
  await bench.clock.advance(0);
  bench.driver.failsAt = () => true;
  const before = bench.driver.made.length;
  bench.driver.made[0]?.exit({ code: 1 });
  await bench.clock.advance(1000);
  assert.equal((await pool(bench))?.parked, 1);
  bench.driver.failsAt = () => false;
  await bench.clock.advance(5000);
  assert.equal((await pool(bench))?.parked, 2);
  assert.equal(bench.driver.made.length, before + 1);
});

test('Pool creates no more than poolParallel containers at the same time', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMin: 4, poolParallel: 2 });
  const gate = Promise.withResolvers<void>();
  bench.driver.gate = gate.promise;
  await bench.clock.advance(0);
  assert.equal(bench.driver.creating, 2);
  gate.resolve();
  await bench.clock.advance(0);
  assert.equal((await pool(bench))?.parked, 4);
});

test('Pool of a class is filled from the first call or deploy of that class on', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolWarmMb: [] });
  await bench.clock.advance(0);
  assert.equal(bench.driver.made.length, 0);
  bench.scheduler.replaced(versionOf({ memoryMb: 600 }));
  await bench.clock.advance(0);
  assert.deepEqual(
    bench.driver.made.map(({ kind }) => kind.memoryMb),
    [512, 512],
  );
});

test('Pool of a network class is filled with containers of that class, and no other function gets them', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMin: 1, poolWarmMb: [] });
  const reaching = versionOf({ name: 'reaching', egress: ['a.example:443'] });
  bench.scheduler.replaced(reaching);
  bench.scheduler.replaced(versionOf());
  await bench.clock.advance(0);
  assert.deepEqual(
    bench.driver.made.map(({ kind }) => kind.network),
    ['egress', 'none'],
  );
  await bench.called(reaching);
  await bench.called(versionOf());
  const [first, second] = bench.driver.made;
  assert.deepEqual([first?.claims, first?.egress], [['reaching@1'], ['a.example:443']]);
  assert.deepEqual([second?.claims, second?.egress], [['greet@1'], undefined]);
});
