import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallAccount, decodeInvoke, encodeFrame, encodeJson, FLAG_END, FrameType } from '@hob/contracts';
import { earliestMs } from '../src/cpu-budget.ts';
import { Bench, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { hello, load, obedient, respond, thrown } from './fakes/programs.ts';

const MiB = 1024 * 1024;

/** Loads, and otherwise only listens: the test answers. */
const quiet: Program = (frame, container) => {
  load(frame, container);
};

async function running(bench: Bench, config = {}) {
  const before = bench.driver.claimed.length;
  const call = bench.call(versionOf(config), '/never');
  await bench.until(() => bench.driver.claimed.length > before, 'it is claimed');
  const container = bench.driver.made.at(-1);
  assert.ok(container);
  await bench.until(() => container.isLoaded, 'it runs');
  return { call, container };
}

test('a call that uses up its CPU time fails, and its container ends', async () => {
  await using bench = await Bench.open(obedient);
  const { call, container } = await running(bench, { cpuMs: 200, timeoutMs: 60_000 });
  container.used = { cpuMs: 190, memoryPeakBytes: 5 };
  await bench.clock.advance(30_000);
  assert.equal(call.ends, 0, 'it waits, and has used none of the rest');
  container.used = { cpuMs: 200, memoryPeakBytes: 5 };
  await bench.clock.advance(20);
  assert.equal(call.error?.code, 'ERR_FN_CPU_BUDGET');
  assert.ok(container.isDead);
  const receipt = bench.receipt(call);
  assert.deepEqual([receipt.outcome, receipt.cause, receipt.cpuMs], ['ERR_FN_CPU_BUDGET', 'cpu-budget', 200]);
  await bench.until(() => bench.driver.alive.size === 0, 'it is gone');
  assert.equal(bench.observer.deaths[0]?.cause, 'cpu-budget');
  assert.equal((await bench.called(versionOf({ cpuMs: 200, timeoutMs: 60_000 }))).body, 'hello');
});

test('CPU time that was used before a call is not on its budget', async () => {
  await using bench = await Bench.open(obedient);
  const config = { cpuMs: 100, timeoutMs: 60_000 };
  assert.equal((await bench.called(versionOf(config))).body, 'hello');
  const [container] = bench.driver.made;
  assert.ok(container);
  container.used = { cpuMs: 5000, memoryPeakBytes: 0 };
  const call = bench.call(versionOf(config), '/never');
  await bench.clock.advance(10_000);
  assert.equal(call.ends, 0);
  call.handle?.cancel('cancelled');
  container.used = { cpuMs: 50_000, memoryPeakBytes: 0 };
  await bench.clock.advance(50);
  assert.deepEqual([call.ends, call.error?.code], [1, 'ERR_CANCELLED'], 'a cancelled call fails once');
});

test('earliestMs is never later than a budget can be used up', () => {
  const host = { cpu: 1, hostCores: 4 };
  assert.equal(earliestMs(100, host), 25, 'four threads within one period');
  assert.equal(earliestMs(1000, host), 900);
  assert.equal(earliestMs(1000, { cpu: 0.5, hostCores: 4 }), 1900);
  assert.equal(earliestMs(1000, { cpu: 8, hostCores: 2 }), 500, 'a host has no more cores than it has');
});

test('a response that says it is too large fails before its head is given on', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench, { responseBytesMax: 10 });
  container.emit(encodeJson(FrameType.HEAD, 1, { status: 200, headers: ['content-length', '11'] }));
  assert.deepEqual([call.response, call.error?.code], [undefined, 'ERR_FN_RESPONSE_TOO_LARGE']);
  assert.ok(container.isDead);
  assert.equal(bench.receipt(call).cause, 'response-too-large');
});

test('a response that grows too large is cut, and one that fits is not', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench, { responseBytesMax: 10 });
  container.emit(encodeJson(FrameType.HEAD, 1, { status: 200, headers: [] }));
  container.emit(encodeFrame(FrameType.BODY, 1, '0123456789'));
  assert.deepEqual([call.body, call.ends], ['0123456789', 0]);
  container.emit(encodeFrame(FrameType.BODY, 1, 'x'));
  assert.deepEqual([call.body, call.error?.code], ['0123456789', 'ERR_FN_RESPONSE_TOO_LARGE']);
  assert.ok(container.isDead);
  const next = await running(bench, { responseBytesMax: 10 });
  respond(next.container, 1, '0123456789');
  assert.deepEqual([next.call.body, next.call.error], ['0123456789', undefined]);
});

for (const [breach, code] of [
  ['oom', 'ERR_FN_OUT_OF_MEMORY'],
  ['pids', 'ERR_FN_TOO_MANY_PROCESSES'],
] as const) {
  test(`a call whose container ran into ${breach} fails with ${code}, though its handler answers`, async () => {
    await using bench = await Bench.open(quiet);
    const { call, container } = await running(bench);
    container.ranInto = breach;
    container.used = { cpuMs: 20, memoryPeakBytes: 0 };
    respond(container, 1);
    await bench.until(() => call.ends > 0, 'it fails');
    assert.deepEqual([call.response, call.error?.code], [undefined, code]);
    assert.equal(bench.receipt(call).cause, breach);
  });

  test(`a call whose container ran into ${breach} fails with ${code}, though its handler throws`, async () => {
    await using bench = await Bench.open(quiet);
    const { call, container } = await running(bench);
    container.ranInto = breach;
    container.emit(encodeJson(FrameType.ERROR, 1, thrown));
    await bench.until(() => call.ends > 0, 'it fails');
    assert.equal(call.error?.code, code);
  });

  test(`a call whose container ran into ${breach} fails with ${code}, though its handler does nothing`, async () => {
    await using bench = await Bench.open(quiet);
    const { call, container } = await running(bench, { timeoutMs: 60_000 });
    await bench.clock.advance(1000);
    container.ranInto = breach;
    await bench.clock.advance(100);
    await bench.until(() => call.ends > 0, 'it fails');
    assert.equal(call.error?.code, code);
  });
}

test('a container that ran into a limit in a call that is over is not used again', async () => {
  await using bench = await Bench.open(hello);
  await bench.called();
  const [container] = bench.driver.made;
  assert.ok(container);
  container.ranInto = 'pids';
  await bench.clock.advance(100);
  assert.ok(container.isDead);
  assert.notEqual((await bench.called()).response?.start, 'warm');
});

test('a call that computes for long leaves the CPU to others, until it is over', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench, { timeoutMs: 60_000 });
  const weight = (): number | undefined => container.limits?.cpuWeight;
  await bench.clock.advance(100);
  container.used = { cpuMs: 40, memoryPeakBytes: 0 };
  await bench.clock.advance(100);
  assert.equal(weight(), 100, 'it waits most of the time');
  container.used = { cpuMs: 100, memoryPeakBytes: 0 };
  await bench.clock.advance(100);
  assert.equal(weight(), 10);
  await bench.clock.advance(1000);
  assert.equal(weight(), 10, 'it may go on at any time');
  respond(container, 1);
  assert.equal(call.body, 'hello');
  await bench.clock.advance(100);
  assert.equal(weight(), 100);
});

test('many short calls are no long one, however much they compute', async () => {
  await using bench = await Bench.open(quiet);
  const { container } = await running(bench, { timeoutMs: 60_000 });
  for (let stream = 1; stream < 6; stream++) {
    respond(container, stream);
    bench.call(versionOf({ timeoutMs: 60_000 }));
    await bench.until(() => container.open.has(stream + 1), 'the next one runs');
    container.used = { cpuMs: stream * 90, memoryPeakBytes: 0 };
    await bench.clock.advance(100);
    assert.equal(container.limits?.cpuWeight, 100);
  }
});

test('nothing is asked of containers that are not used', async () => {
  await using bench = await Bench.open(hello);
  await bench.called();
  await bench.clock.advance(1000);
  const [container] = bench.driver.made;
  assert.ok(container);
  container.ranInto = 'pids';
  await bench.clock.advance(1000);
  assert.equal(container.isDead, false);
});

test('head, receipt and failure tell what the call used, and not what the call before it did', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench);
  container.used = { cpuMs: 12, memoryPeakBytes: 50 * MiB };
  container.emit(encodeJson(FrameType.HEAD, 1, { status: 200, headers: [] }));
  const head: CallAccount | undefined = call.response;
  assert.deepEqual([head?.cpuMs, head?.memoryPeakBytes, head?.bytesOut], [12, 50 * MiB, 0]);
  container.used = { cpuMs: 20, memoryPeakBytes: 60 * MiB };
  await bench.clock.advance(1);
  container.emit(encodeFrame(FrameType.BODY, 1, 'done', FLAG_END), encodeFrame(FrameType.DONE, 1));
  const first = bench.receipt(call);
  assert.deepEqual([first.cpuMs, first.memoryPeakBytes, first.bytesOut], [20, 60 * MiB, 4]);
  assert.equal(container.restarts, 2, 'at the claim, and after a call that was unlike the one before');
  const second = bench.call();
  await bench.until(() => container.open.has(2), 'the second runs');
  container.used = { cpuMs: 25, memoryPeakBytes: 40 * MiB };
  container.emit(encodeJson(FrameType.ERROR, 2, thrown));
  await bench.until(() => second.ends > 0, 'it fails');
  assert.deepEqual([bench.receipt(second).cpuMs, bench.receipt(second).memoryPeakBytes], [5, 40 * MiB]);
});

test('the grace before the deadline is the function’s own when it says so', async () => {
  await using bench = await Bench.open(quiet, { abortGraceMs: 1000 });
  const graces: number[] = [];
  const configs = [
    { timeoutMs: 20_000 },
    { timeoutMs: 500 },
    { timeoutMs: 500, abortGraceMs: 400 },
    { abortGraceMs: 1e5 },
  ];
  for (const [at, config] of configs.entries()) {
    bench.call(versionOf(config, at + 1));
    await bench.until(() => bench.driver.claimed.length === at + 1, 'it is claimed');
    const invoke = bench.driver.made[at]?.frames.find(({ type }) => type === FrameType.INVOKE);
    graces.push(decodeInvoke((invoke ?? assert.fail()).payload).graceMs);
  }
  assert.deepEqual(graces, [1000, 50, 400, 1000], 'at most the whole time');
});

test('the rate of a function’s output is its own when it says so', async () => {
  await using bench = await Bench.open(quiet);
  const { container } = await running(bench, { logBytesPerSecond: 100, timeoutMs: 60_000 });
  const line = { channel: 'stdout', line: 'x'.repeat(30) };
  for (let at = 0; at < 10; at++) container.emit(encodeJson(FrameType.LOG, 1, line));
  assert.equal(bench.observer.lines.length, 1, 'a second line would be over 100 bytes as a frame');
  await bench.clock.advance(1000);
  container.emit(encodeJson(FrameType.LOG, 1, line));
  assert.equal(bench.observer.lines[1]?.line, '9 lines dropped: more than 2000 lines or 100 bytes a second');
});
