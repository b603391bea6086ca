import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeInvoke, decodeJson, FLAG_END, FrameType } from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient, pathOf } from './fakes/programs.ts';

test('Scheduler starts a container for the first call and keeps it for the next', async () => {
  await using bench = await Bench.open(hello);
  const first = await bench.called();
  assert.equal(first.error, undefined);
  assert.equal(first.response?.status, 200);
  assert.deepEqual(first.response?.headers, ['content-type', 'text/plain']);
  assert.equal(first.body, 'hello');
  assert.equal(first.response?.start, 'cold');
  const second = await bench.called();
  assert.equal(second.response?.start, 'warm');
  assert.equal(bench.driver.made.length, 1);
});

test('Scheduler sends CLAIM, CODE and INVOKE in one write, after the limits', async () => {
  await using bench = await Bench.open(hello);
  await bench.called(versionOf({ memoryMb: 300, cpu: 0.5, tmpMb: 10 }));
  const [container] = bench.driver.made;
  assert.ok(container);
  assert.equal(container.sends, 1);
  assert.equal(container.kind.memoryMb, 256);
  assert.deepEqual(container.limits, {
    memoryMb: 300,
    cpu: 0.5,
    cpuWeight: 100,
    pids: 128,
    nofile: 1024,
    tmpMb: 10,
    tmpFiles: 2560,
    io: undefined,
  });
  assert.equal(container.task, undefined);
  const [claim, code, invoke] = container.frames;
  assert.ok(claim && code && invoke);
  assert.deepEqual(decodeJson(claim), {
    function: 'greet',
    version: 1,
    memoryMb: 300,
    filename: '/var/task/index.mjs',
    env: { GREETING: 'hi' },
    codeBytes: 18,
    cacheBytes: 0,
  });
  assert.equal(Buffer.from(code.payload).toString(), 'export default 1;\n');
  assert.equal(code.flags, FLAG_END);
  assert.equal(invoke.type, FrameType.INVOKE);
  const wallMs = bench.clock.wallMs();
  const { id, method, url, headers, deadlineMs, graceMs } = decodeInvoke(invoke.payload);
  assert.deepEqual([id, method, url, headers], ['call-1', 'GET', 'http://greet.local/hello', ['a', 'b']]);
  assert.deepEqual([deadlineMs, graceMs], [wallMs + 1000, 100]);
});

test('Scheduler mounts the bundle of a version with assets before it sends the code', async () => {
  await using bench = await Bench.open(hello);
  const version = versionOf({}, 1, { hasAssets: true });
  await bench.called(version);
  assert.equal(bench.driver.made[0]?.task, version.digest);
});

test('Scheduler gives a receipt whose times add up', async () => {
  await using bench = await Bench.open(obedient);
  const gate = Promise.withResolvers<void>();
  bench.driver.gate = gate.promise;
  const call = bench.call(versionOf(), '/never');
  await bench.clock.advance(10);
  gate.resolve();
  await bench.until(() => bench.driver.claimed.length === 1, 'it is claimed');
  await bench.clock.advance(990);
  assert.equal(call.ends, 0);
  await bench.clock.advance(10);
  assert.equal(call.error?.code, 'ERR_FN_TIMEOUT');
  assert.deepEqual(bench.receipt(call), {
    invocationId: call.id,
    function: 'greet',
    version: 1,
    start: 'cold',
    queueMs: 6,
    createMs: 4,
    thawMs: 0,
    loadMs: 0,
    runMs: 1000,
    cpuMs: 0,
    memoryPeakBytes: 0,
    containerAgeMs: 1004,
    bytesIn: 0,
    bytesOut: 0,
    outcome: 'ERR_FN_TIMEOUT',
    cause: 'timeout',
  });
});

test('Scheduler.close() lets waiting and running calls end, then leaves nothing', async () => {
  await using bench = await Bench.open(obedient);
  const running = bench.call(versionOf({ maxContainers: 1 }), '/polite');
  const waiting = bench.call(versionOf({ maxContainers: 1 }));
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  const closed = bench.scheduler.close();
  const late = bench.call();
  assert.equal(late.error?.code, 'ERR_SCHED_CLOSED');
  assert.equal(running.ends + waiting.ends, 0);
  running.handle?.cancel('cancelled');
  await closed;
  assert.equal(waiting.body, 'hello');
  assert.equal(bench.driver.alive.size, 0);
  assert.equal(bench.observer.deaths.at(-1)?.cause, 'shutdown');
  assert.equal(bench.scheduler.close(), bench.scheduler.destroy());
});

test('Scheduler.destroy() cuts running and waiting calls', async () => {
  await using bench = await Bench.open(obedient);
  const running = bench.call(versionOf({ maxContainers: 1 }), '/never');
  const waiting = bench.call(versionOf({ maxContainers: 1 }));
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  await bench.scheduler.destroy();
  assert.deepEqual([running.error?.code, waiting.error?.code], ['ERR_SCHED_CLOSED', 'ERR_SCHED_CLOSED']);
  assert.equal(bench.driver.alive.size, 0);
});

test('Scheduler.destroy() ends a container that is just being created', async () => {
  await using bench = await Bench.open(hello);
  const gate = Promise.withResolvers<void>();
  bench.driver.gate = gate.promise;
  const call = bench.call();
  const destroyed = bench.scheduler.destroy();
  assert.equal(call.error?.code, 'ERR_SCHED_CLOSED');
  gate.resolve();
  await destroyed;
  assert.equal(bench.driver.alive.size, 0);
  assert.equal(bench.driver.made.length, 1);
});

test('Scheduler.cancel() finds a call by its id, and says when there is none', async () => {
  await using bench = await Bench.open(obedient);
  const call = bench.call(versionOf(), '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  assert.equal(bench.scheduler.cancel('another'), false);
  assert.equal(bench.scheduler.cancel(call.id), true);
  assert.equal(call.error?.code, 'ERR_CANCELLED');
  assert.equal(bench.scheduler.cancel(call.id), false);
});

test('Scheduler.replaced() ends idle containers of other versions at once, busy ones when idle', async () => {
  await using bench = await Bench.open(obedient);
  const old = versionOf({}, 1);
  const busy = bench.call(old, '/polite');
  await bench.called(old);
  await bench.until(() => bench.driver.claimed.length === 2, 'two run');
  const [first, second] = bench.driver.made;
  assert.ok(first && second);
  const [busyOne, idleOne] = pathOf(first, 1) === '/polite' ? [first, second] : [second, first];
  bench.scheduler.replaced(versionOf({}, 2));
  assert.deepEqual([busyOne.isDead, idleOne.isDead], [false, true]);
  busy.handle?.cancel('cancelled');
  await bench.until(() => busyOne.isDead, 'the busy one ends');
  await bench.until(() => bench.observer.deaths.length === 2, 'both are gone');
  assert.deepEqual(
    bench.observer.deaths.map(({ cause }) => cause),
    ['replaced', 'replaced'],
  );
  const byNumber = await bench.called(old);
  assert.equal(byNumber.response?.start, 'cold');
  const byNumberAgain = await bench.called(old);
  assert.equal(byNumberAgain.response?.start, 'warm');
});

test('Scheduler.replaced() lets calls that wait for a former version have its busy containers, which end after them', async () => {
  await using bench = await Bench.open(obedient);
  const old = versionOf({ maxContainers: 2 }, 1);
  const busy = [bench.call(old, '/polite'), bench.call(old, '/polite')];
  await bench.until(() => bench.driver.claimed.length === 2, 'two run');
  const waiting = [bench.call(old), bench.call(old), bench.call(old)];
  bench.scheduler.replaced(versionOf({}, 2));
  for (const call of busy) call.handle?.cancel('cancelled');
  await bench.until(() => waiting.every(({ ends }) => ends === 1), 'those that waited are answered');
  assert.deepEqual(
    waiting.map(({ body, response }) => [body, response?.start]),
    [1, 2, 3].map(() => ['hello', 'warm']),
  );
  await bench.until(() => bench.observer.deaths.length === 2, 'both are gone');
  assert.equal(bench.driver.made.length, 2, 'none was made for them');
  assert.ok(bench.observer.deaths.every(({ cause }) => cause === 'replaced'));
});

test('Scheduler.removed() ends calls and containers, and resolves when all are gone', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ maxContainers: 1 });
  const running = bench.call(version, '/never');
  const waiting = bench.call(version);
  const other = bench.call(versionOf({ name: 'other' }), '/polite');
  await bench.until(() => bench.driver.claimed.length === 2, 'both functions run');
  const removed = bench.scheduler.removed('greet');
  assert.equal(running.error?.code, 'ERR_CANCELLED');
  assert.equal(waiting.error?.code, 'ERR_FN_NOT_FOUND');
  await removed;
  assert.equal(bench.driver.alive.size, 1);
  assert.equal(other.ends, 0);
  await bench.scheduler.removed('never-there');
});

test('Scheduler.snapshot() counts what there is', async () => {
  await using bench = await Bench.open(obedient, { poolMin: 1, poolMax: 1, poolWarmMb: [256] });
  await bench.clock.advance(0);
  const version = versionOf({ maxContainers: 2 });
  await bench.called(version);
  bench.call(version, '/never');
  bench.call(version, '/never');
  bench.call(version, '/never');
  await bench.clock.advance(30);
  const { pools, memory, functions } = await bench.scheduler.snapshot();
  assert.deepEqual(pools, [
    {
      runtime: 'nodejs24.x',
      memoryMb: 256,
      network: 'none',
      creating: 0,
      parked: 1,
      target: 1,
      min: 1,
      max: 1,
      claimsPerSecondShort: 2 / 6,
      claimsPerSecondLong: 2 / 60,
      burst: 1,
      createMs: 4,
      refillDelayMs: 25,
      parallel: 2,
      containerBytes: 8 * 2 ** 20,
    },
  ]);
  assert.deepEqual(memory, {
    totalBytes: 16 * 2 ** 30,
    availableBytes: 12 * 2 ** 30,
    parkedBytes: 8 * 2 ** 20,
    pressurePercent: 0,
    sharePercent: 80,
    pressurePercentMax: 10,
    budgetBytes: 0.8 * 16 * 2 ** 30 - 4 * 2 ** 30 + 8 * 2 ** 20,
  });
  assert.deepEqual(functions, [
    {
      function: 'greet',
      version: 1,
      loading: 0,
      idle: 0,
      busy: 2,
      waiting: 1,
      cpuSeconds: 1,
      memoryBytes: 2048,
      keepAlive: { preloadAfterMs: 0, keepAliveMs: 60_000, isLearned: false },
    },
  ]);
});

test('Scheduler refuses headers that would not fit in a frame', async () => {
  await using bench = await Bench.open(hello);
  const call = await bench.called(versionOf(), `/${'x'.repeat(128 * 1024)}`);
  assert.equal(call.error?.code, 'ERR_HTTP_HEADERS_TOO_LARGE');
  assert.equal(bench.driver.made.length, 0);
});

test('Scheduler refuses settings out of range, with their place', async () => {
  await assert.rejects(Bench.open(hello, { queueMax: 0 }), { code: 'ERR_CONFIG_INVALID', message: /queueMax.*>= 1/ });
  await assert.rejects(Bench.open(hello, { poolWarmMb: [100] }), { code: 'ERR_CONFIG_INVALID', message: /poolWarmMb/ });
  await assert.rejects(Bench.open(hello, { poolMin: 3, poolMax: 2 }), { code: 'ERR_CONFIG_INVALID' });
});

test('Scheduler tells what a function was denied as lines of its log, however much else it writes, and counts it', async () => {
  await using bench = await Bench.open(obedient, { logLinesPerSecond: 1 });
  const version = versionOf({ egress: 'public' });
  await bench.called(version);
  const [container] = bench.driver.claimed;
  container?.events.output('stdout', 'one');
  container?.events.output('stdout', 'two');
  container?.events.denied?.({ reason: 'host', target: 'tcp 5.6.7.8:22', count: 1 });
  container?.events.denied?.({ reason: 'name', target: 'name b.example', count: 3 });
  container?.events.resolved?.({ outcome: 'denied', count: 3 });
  const denied = bench.observer.lines.filter(({ channel }) => channel === 'denied').map(({ line }) => line);
  assert.deepEqual(denied, [
    'tcp 5.6.7.8:22: an address of the host',
    'name b.example: not in the egress list of hob.json (3 times)',
  ]);
  assert.deepEqual(bench.observer.denials, [
    { function: 'greet', reason: 'host', count: 1 },
    { function: 'greet', reason: 'name', count: 3 },
  ]);
  assert.deepEqual(bench.observer.queries, [{ function: 'greet', outcome: 'denied', count: 3 }]);
});
