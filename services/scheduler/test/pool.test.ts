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

test('Pool grows with a burst of claims, up to poolMax, and falls back to poolMin when the window is over', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMax: 6, poolWindowMs: 6000 });
  await bench.clock.advance(0);
  const version = versionOf({ maxContainers: 16 });
  const calls = Array.from({ length: 12 }, () => bench.call(version));
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  assert.deepEqual(calls.map(({ response }) => response?.start).filter((start) => start === 'pool').length, 2);
  await bench.clock.advance(100);
  assert.deepEqual([(await pool(bench))?.parked, (await pool(bench))?.burst], [6, 6]);
  await bench.clock.advance(5800);
  assert.equal((await pool(bench))?.parked, 6);
  await bench.clock.advance(1000);
  assert.deepEqual([(await pool(bench))?.parked, (await pool(bench))?.target], [2, 2]);
});

test('Pool follows the rate of claims, however regularly they come', async () => {
  await using bench = await Bench.open(hello, {
    ...settings,
    poolMax: 40,
    poolRefillDelayMs: 100,
    poolWindowMs: 6000,
  });
  const targets: number[] = [];
  for (const everyMs of [500, 50, 5, 2]) {
    for (let call = 0; call < 1000 / everyMs; call++) {
      await bench.called(versionOf({ name: `f${everyMs}-${call}` }));
      await bench.clock.advance(everyMs);
    }
    targets.push((await pool(bench))?.target ?? 0);
  }
  assert.deepEqual(
    targets,
    targets.toSorted((a, b) => a - b),
  );
  assert.deepEqual([(targets[0] ?? 0) < 5, targets[3]], [true, 40], targets.join(', '));
  assert.ok((targets[2] ?? 0) > 20, targets.join(', '));
});

test('Pool gives a container that is being forked to a call that finds none parked: it waits for no fork behind others', async () => {
  await using bench = await Bench.open(hello, settings);
  using gate = bench.holdForks();
  await bench.clock.advance(0);
  const call = bench.call();
  await bench.clock.advance(0);
  assert.equal(bench.driver.creating, 2, 'the pool makes two, and one of them is for the call');
  gate.release();
  await bench.until(() => call.ends === 1, 'it is served');
  assert.equal(call.response?.start, 'cold');
  assert.deepEqual(bench.driver.made[0]?.claims, ['greet@1']);
  await bench.clock.advance(25);
  assert.equal((await pool(bench))?.parked, 2);
});

test('Pool leaves a failed fork that a call took over to the call, which gets another one', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMin: 1, poolMax: 1 });
  using gate = bench.holdForks();
  bench.driver.failsAt = (serial) => serial === 1;
  await bench.clock.advance(0);
  const call = bench.call();
  gate.release();
  await bench.until(() => call.ends === 1, 'it is served');
  assert.equal(call.error, undefined);
  await bench.clock.advance(25);
  assert.equal((await pool(bench))?.parked, 1);
});

test('Pool makes nothing while calls wait for forks, and then no more than poolParallel at a time', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMax: 8 });
  await bench.clock.advance(0);
  using gate = bench.holdForks();
  const version = versionOf({ maxContainers: 16 });
  const calls = Array.from({ length: 12 }, () => bench.call(version));
  await bench.clock.advance(200);
  assert.equal(bench.driver.creating, 10, 'twelve calls, two of which got parked containers');
  gate.release();
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  using refill = bench.holdForks();
  await bench.clock.advance(25);
  assert.equal(bench.driver.creating, 2);
  refill.release();
  await bench.clock.advance(50);
  assert.equal((await pool(bench))?.parked, 8);
});

test('Pool keeps fewer than poolMin where there is no memory for them, and none under pressure', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMin: 4, poolWindowMs: 60_000 });
  await bench.clock.advance(10);
  assert.equal((await pool(bench))?.parked, 4);
  const calm = bench.memory.reading;
  // A fake container takes 1024 bytes; a fifth of the memory is to stay free.
  bench.memory.reading = {
    totalBytes: 100_000,
    get availableBytes() {
      return 22_100 - 1024 * bench.driver.alive.size;
    },
    pressurePercent: undefined,
  };
  await bench.clock.advance(2000);
  assert.equal((await pool(bench))?.parked, 2);
  bench.memory.reading = { totalBytes: 100_000, availableBytes: 90_000, pressurePercent: 10 };
  await bench.clock.advance(2000);
  assert.equal((await pool(bench))?.parked, 0);
  assert.equal((await bench.scheduler.snapshot()).memory?.budgetBytes, 0);
  bench.memory.reading = calm;
  await bench.clock.advance(2000);
  assert.equal((await pool(bench))?.parked, 4);
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

test('Pool creates no more than poolParallel containers at the same time, and rests as long as one took', async () => {
  await using bench = await Bench.open(hello, { ...settings, poolMin: 4, poolParallel: 2 });
  using gate = bench.holdForks();
  await bench.clock.advance(0);
  assert.equal(bench.driver.creating, 2);
  gate.release();
  await bench.clock.advance(3);
  assert.equal((await pool(bench))?.parked, 2);
  await bench.clock.advance(1);
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
