import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson, fail, FLAG_END, FrameType } from '@hob/contracts';
import { Bench, type Call, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { hello, load, obedient, respond, thrown } from './fakes/programs.ts';

const brokenCode: Program = (frame, container) => {
  if (frame.type !== FrameType.CODE || (frame.flags & FLAG_END) === 0) return;
  container.emit(encodeJson(FrameType.LOAD_FAILED, 0, thrown));
};

test('VersionGroup gives a freed container to the call that waits longest', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ maxContainers: 1 });
  const first = bench.call(version, '/polite');
  const second = bench.call(version, '/polite');
  const third = bench.call(version);
  await bench.until(() => bench.driver.claimed.length === 1, 'it starts');
  first.handle?.cancel('cancelled');
  await bench.until(() => bench.driver.made[0]?.open.has(2) === true, 'the second runs');
  assert.equal(third.ends, 0);
  second.handle?.cancel('cancelled');
  await bench.until(() => third.ends === 1, 'the third is served');
  assert.equal(third.response?.start, 'warm');
  assert.equal(bench.driver.made.length, 1);
});

test('VersionGroup starts as many containers as calls wait, up to maxContainers', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ maxContainers: 3 });
  for (let count = 0; count < 5; count++) bench.call(version, '/never');
  await bench.until(() => bench.driver.claimed.length === 3, 'three are claimed');
  assert.equal(bench.driver.aliveMax, 3);
});

test('VersionGroup serves a call from a freed container while a new one is still on its way', async () => {
  await using bench = await Bench.open(obedient);
  const first = bench.call(versionOf(), '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'the first runs');
  const gate = Promise.withResolvers<void>();
  bench.driver.gate = gate.promise;
  const second = bench.call(versionOf());
  first.handle?.cancel('cancelled');
  await bench.until(() => second.ends === 1, 'the second is served');
  assert.equal(second.response?.start, 'warm');
  gate.resolve();
  await bench.until(() => bench.driver.claimed.length === 2, 'the new one is not wasted');
});

test('VersionGroup lends a container to as many calls at once as its concurrency, and no more', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ concurrency: 3, maxContainers: 2 });
  const calls = Array.from({ length: 7 }, () => bench.call(version, '/polite'));
  await bench.until(() => bench.driver.claimed.length === 2, 'two are claimed');
  await bench.clock.advance(1);
  assert.deepEqual(
    bench.driver.made.map(({ openMax }) => openMax),
    [3, 3],
  );
  calls[0]?.handle?.cancel('cancelled');
  await bench.until(() => bench.driver.made.some((container) => container.open.has(4)), 'the seventh runs');
  assert.equal(Math.max(...bench.driver.made.map(({ openMax }) => openMax)), 3);
});

test('VersionGroup refuses calls over queueMax', async () => {
  await using bench = await Bench.open(obedient, { queueMax: 2 });
  const version = versionOf({ maxContainers: 1 });
  bench.call(version, '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  bench.call(version);
  bench.call(version);
  const refused = bench.call(version);
  assert.equal(refused.error?.code, 'ERR_SCHED_QUEUE_FULL');
  assert.match(String(refused.error), /2 requests already wait/);
  assert.equal(bench.receipt(refused).outcome, 'ERR_SCHED_QUEUE_FULL');
});

test('VersionGroup refuses calls over queueTotalMax, whichever function waits', async () => {
  await using bench = await Bench.open(obedient, { queueTotalMax: 2 });
  const [one, two] = [versionOf({ maxContainers: 1 }), versionOf({ name: 'other', maxContainers: 1 })];
  for (const version of [one, two]) bench.call(version, '/never');
  await bench.until(() => bench.driver.claimed.length === 2, 'both run');
  for (const version of [one, two]) bench.call(version);
  assert.equal(bench.call(one).error?.code, 'ERR_SCHED_QUEUE_FULL');
});

test('VersionGroup fails a call that waited for queueTimeoutMs, and only that one', async () => {
  await using bench = await Bench.open(obedient, { queueTimeoutMs: 300 });
  const version = versionOf({ maxContainers: 1, timeoutMs: 10_000 });
  const running = bench.call(version, '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  const first = bench.call(version);
  await bench.clock.advance(200);
  const second = bench.call(version);
  await bench.clock.advance(100);
  assert.equal(first.error?.code, 'ERR_SCHED_QUEUE_TIMEOUT');
  assert.equal(bench.receipt(first).queueMs, 300);
  assert.deepEqual([second.ends, running.ends], [0, 0]);
});

test('VersionGroup ends a container that was idle for keepAliveMs, not one that was used', async () => {
  await using bench = await Bench.open(obedient, { keepAliveMs: 1000 });
  const [one, two] = [bench.call(versionOf(), '/polite'), bench.call(versionOf(), '/polite')];
  await bench.until(() => bench.driver.claimed.length === 2, 'both run');
  for (const call of [one, two]) call.handle?.cancel('cancelled');
  await bench.until(() => bench.observer.receipts.length === 2, 'both are idle');
  await bench.clock.advance(600);
  await bench.called();
  await bench.clock.advance(500);
  assert.deepEqual(bench.observer.deaths, [{ function: 'greet', cause: 'reclaimed', cpuSeconds: 0.25 }]);
  await bench.clock.advance(500);
  assert.equal(bench.observer.deaths.length, 2);
});

test('VersionGroup retries a start that the platform failed, and no call notices', async () => {
  await using bench = await Bench.open(hello);
  bench.driver.failsAt = (serial) => serial <= 2;
  const call = bench.call();
  await bench.clock.advance(1000);
  await bench.until(() => call.ends === 1, 'it is served');
  assert.equal(call.body, 'hello');
});

test('VersionGroup fails waiting calls after startFailuresMax failed starts, and starts again later', async () => {
  await using bench = await Bench.open(hello, { startFailuresMax: 3 });
  bench.driver.failsAt = () => true;
  const call = bench.call();
  await bench.clock.advance(1000);
  assert.equal(call.error?.code, 'ERR_SCHED_START_FAILED');
  bench.driver.failsAt = () => false;
  await bench.clock.advance(5000);
  assert.equal((await bench.called()).body, 'hello');
});

test('VersionGroup retries on another container when limits cannot be set, or when the container dies before', async () => {
  await using bench = await Bench.open(hello);
  bench.driver.onMade = (container) => {
    if (container.id === 'fake-1') container.prepareError = fail('ERR_NATIVE_SYSCALL', ['memory.max', 'EBUSY']);
    if (container.id === 'fake-2') container.exit({ signal: 'SIGKILL', oomKilled: true });
  };
  const call = bench.call();
  await bench.clock.advance(1000);
  await bench.until(() => call.ends === 1, 'it is served');
  assert.equal(call.body, 'hello');
  assert.deepEqual(
    [...bench.driver.alive].map(({ id }) => id),
    ['fake-3'],
  );
});

test('VersionGroup replaces a container that died while idle, and the call does not notice', async () => {
  await using bench = await Bench.open(obedient);
  await bench.called();
  const [first] = bench.driver.made;
  first?.exit({ signal: 'SIGSEGV' });
  await bench.until(() => bench.driver.alive.size === 0, 'it is gone');
  const call = await bench.called();
  assert.equal(call.response?.start, 'cold');
  assert.deepEqual(
    bench.observer.lines.map(({ channel, line }) => [channel, line]),
    [['platform', "the function's process was ended by SIGSEGV"]],
  );
});

test('VersionGroup gives no call to a container whose socket is closed, though it has not exited', async () => {
  await using bench = await Bench.open(hello);
  await bench.called();
  bench.driver.made[0]?.hangUp();
  const call = await bench.called();
  assert.equal(call.response?.start, 'cold');
});

test('VersionGroup fails each call with the load failure, and starts no container in a loop', async () => {
  await using bench = await Bench.open(brokenCode);
  const version = versionOf({ maxContainers: 2 });
  const calls = Array.from({ length: 50 }, () => bench.call(version));
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all fail');
  assert.deepEqual([...new Set(calls.map(({ error }) => error?.code))], ['ERR_FN_LOAD_FAILED']);
  assert.ok(calls.every(({ failure }) => failure?.message === 'no such thing'));
  assert.ok(bench.driver.made.length <= 2, `${bench.driver.made.length} containers`);
  const next = bench.call(version);
  await bench.until(() => next.ends === 1, 'the next shares the failure');
  assert.ok(bench.driver.made.length <= 2);
  bench.driver.program = hello;
  await bench.clock.advance(5000);
  assert.equal((await bench.called(version)).body, 'hello');
});

test('VersionGroup ends a container that never loads, when the timeout has passed', async () => {
  await using bench = await Bench.open(() => undefined);
  const call = bench.call();
  await bench.until(() => bench.driver.claimed.length === 1, 'it is claimed');
  await bench.clock.advance(1000);
  assert.equal(call.error?.code, 'ERR_FN_TIMEOUT');
  assert.equal(bench.receipt(call).loadMs, 1000);
  await bench.until(() => bench.driver.alive.size === 0, 'it is gone');
});

test('VersionGroup lends a loading container with room to calls that come meanwhile', async () => {
  const held: (() => void)[] = [];
  const slow: Program = (frame, container) => {
    if (frame.type === FrameType.CODE) held.push(() => load(frame, container));
    if (frame.type === FrameType.INVOKE) held.push(() => respond(container, frame.stream));
  };
  await using bench = await Bench.open(slow);
  const version = versionOf({ concurrency: 2 });
  const first = bench.call(version);
  await bench.until(() => held.length === 2, 'it loads');
  await bench.clock.advance(50);
  const second = bench.call(version);
  await bench.until(() => held.length === 3, 'the second is sent');
  for (const go of held) go();
  assert.deepEqual([first.body, second.body], ['hello', 'hello']);
  assert.deepEqual([first.response?.loadMs, second.response?.loadMs], [50, 0]);
  assert.equal(bench.driver.made.length, 1);
});

test('VersionGroup lets no other call share the death of a container whose first call may have been at fault', async () => {
  const dying: Program = (frame, container) => {
    if (frame.type === FrameType.INVOKE && container.id === 'fake-1')
      container.exit({ signal: 'SIGKILL', oomKilled: true });
    else if (container.id !== 'fake-1' && !load(frame, container)) respond(container, frame.stream);
  };
  await using bench = await Bench.open(dying);
  const version = versionOf({ maxContainers: 1 });
  const [first, second] = [bench.call(version), bench.call(version)];
  await bench.until(() => first.ends + second.ends === 2, 'both end');
  assert.equal(first.error?.code, 'ERR_FN_OUT_OF_MEMORY');
  assert.equal(second.body, 'hello');
});

test('VersionGroup starts a version that dies while it loads less and less often', async () => {
  const dying: Program = (frame, container) => {
    if (frame.type === FrameType.CODE) container.exit({ signal: 'SIGSEGV' });
  };
  await using bench = await Bench.open(dying, { startBackoffMs: 100, startBackoffMaxMs: 2000, queueTimeoutMs: 60_000 });
  const version = versionOf({ maxContainers: 1 });
  const calls: Call[] = [];
  for (let count = 0; count < 200; count++) {
    calls.push(bench.call(version));
    await bench.clock.advance(50);
  }
  await bench.clock.advance(2000);
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all end');
  assert.deepEqual([...new Set(calls.map(({ error }) => error?.code))], ['ERR_FN_CRASHED']);
  assert.ok(bench.driver.made.length <= 12, `${bench.driver.made.length} containers in ten seconds`);
});

test('VersionGroup gives each call a fresh container when reuse is "never", and ends it after its call', async () => {
  await using bench = await Bench.open(obedient, { poolMin: 1, poolMax: 1, poolWarmMb: [256] });
  await bench.clock.advance(0);
  const version = versionOf({ reuse: 'never' });
  const calls = [await bench.called(version), await bench.called(version), await bench.called(version)];
  assert.deepEqual(
    calls.map(({ response }) => response?.start),
    ['pool', 'cold', 'cold'],
  );
  await bench.until(() => bench.observer.deaths.length === 3, 'all are gone');
  assert.deepEqual([...new Set(bench.observer.deaths.map(({ cause }) => cause))], ['reclaimed']);
  assert.deepEqual(
    bench.driver.made.filter(({ claims }) => claims.length > 0).map(({ openMax }) => openMax),
    [1, 1, 1],
  );
});

test('VersionGroup serves calls that wait for room of a version whose containers are never reused', async () => {
  await using bench = await Bench.open(hello);
  const version = versionOf({ reuse: 'never', maxContainers: 2 });
  const calls = Array.from({ length: 9 }, () => bench.call(version));
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  assert.deepEqual([...new Set(calls.map(({ body }) => body))], ['hello']);
  assert.equal(bench.driver.claimed.length, 9);
  assert.equal(bench.driver.aliveMax, 2);
});

test('VersionGroup tells the limit that ended a container which its call would have ended anyway', async () => {
  await using bench = await Bench.open(obedient);
  const call = bench.call(versionOf({ reuse: 'never' }), '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  await bench.clock.advance(1000);
  assert.equal(call.error?.code, 'ERR_FN_TIMEOUT');
  await bench.until(() => bench.observer.deaths.length === 1, 'it is gone');
  assert.equal(bench.observer.deaths[0]?.cause, 'timeout');
});
