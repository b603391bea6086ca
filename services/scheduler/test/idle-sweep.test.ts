import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient } from './fakes/programs.ts';

test('IdleSweep freezes a container that was idle for freezeAfterMs, and a call thaws it first', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200 });
  await bench.called();
  const [container] = bench.driver.made;
  assert.ok(container);
  await bench.clock.advance(199);
  assert.equal(container.isFrozen, false);
  await bench.clock.advance(1);
  assert.equal(container.isFrozen, true);
  const call = await bench.called();
  assert.equal(call.response?.start, 'warm');
  assert.equal(container.freezes, 2);
  await bench.clock.advance(200);
  assert.equal(container.isFrozen, true, 'and it is frozen again');
});

test('IdleSweep leaves a container alone that is called again and again', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200 });
  for (let count = 0; count < 50; count += 1) {
    await bench.called();
    await bench.clock.advance(50);
  }
  assert.equal(bench.driver.made[0]?.freezes, 0);
});

test('IdleSweep freezes no container that has a call, however long it takes', async () => {
  await using bench = await Bench.open(obedient, { freezeAfterMs: 200 });
  bench.call(versionOf({ timeoutMs: 10_000 }), '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  await bench.clock.advance(5000);
  assert.equal(bench.driver.made[0]?.freezes, 0);
});

test('IdleSweep ends a frozen container when its time is over', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200, keepAliveMs: 1000 });
  await bench.called();
  await bench.clock.advance(999);
  assert.equal(bench.driver.alive.size, 1);
  await bench.clock.advance(1);
  assert.equal(bench.driver.alive.size, 0);
});

test('a frozen container goes when somebody else needs its room, and when its version is superseded', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200, containersMax: 1 });
  await bench.called();
  await bench.clock.advance(200);
  assert.equal(bench.driver.made[0]?.isFrozen, true);
  await bench.called(versionOf({ name: 'other' }));
  await bench.clock.advance(200);
  bench.scheduler.replaced(versionOf({ name: 'other' }, 2));
  await bench.until(() => bench.driver.alive.size === 0, 'both are gone');
});

test('a call whose container takes time to thaw is told in its receipt, and its times add up', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200 });
  await bench.called();
  await bench.clock.advance(200);
  const [container] = bench.driver.made;
  assert.ok(container);
  const thawed = Promise.withResolvers<void>();
  container.thawing = thawed.promise;
  const call = bench.call();
  await bench.clock.advance(30);
  assert.equal(call.ends, 0);
  thawed.resolve();
  await bench.until(() => call.ends === 1, 'it is served');
  const { queueMs, thawMs, runMs, start } = bench.receipt(call);
  assert.deepEqual({ start, queueMs, thawMs, runMs }, { start: 'warm', queueMs: 0, thawMs: 30, runMs: 0 });
});

test('a container that cannot be thawed ends, and its call with it', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200 });
  await bench.called();
  await bench.clock.advance(200);
  const [container] = bench.driver.made;
  assert.ok(container);
  container.thawing = Promise.reject(new Error('EIO'));
  const call = await bench.called();
  assert.equal(call.error?.code, 'ERR_INTERNAL');
  assert.equal((await bench.called()).response?.start, 'cold');
});

test('a thawed container that answers before its thaw is reported counts as thawed from then on', async () => {
  await using bench = await Bench.open(hello, { freezeAfterMs: 200 });
  await bench.called();
  await bench.clock.advance(200);
  const [container] = bench.driver.made;
  assert.ok(container);
  const told = Promise.withResolvers<void>();
  container.setFrozen = () => {
    container.isFrozen = false;
    return told.promise;
  };
  const call = bench.call();
  await bench.until(() => call.ends === 1, 'it is served');
  await bench.clock.advance(30);
  told.resolve();
  assert.equal(bench.receipt(call).thawMs + bench.receipt(call).runMs, 0);
  assert.equal((await bench.called()).body, 'hello');
});
