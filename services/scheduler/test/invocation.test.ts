import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  decodeCredit,
  decodeJson,
  encodeCredit,
  encodeFrame,
  encodeJson,
  FLAG_END,
  FrameType,
  STREAM_WINDOW_BYTES,
} from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import type { FakeContainer, Program } from './fakes/fake-container.ts';
import { hello, load, obedient, respond, thrown } from './fakes/programs.ts';

/** Loads, and otherwise only listens: the test answers. */
const quiet: Program = (frame, container) => {
  load(frame, container);
};

async function running(bench: Bench, hasBody = false, config = {}) {
  const call = bench.call(versionOf(config), '/', hasBody);
  await bench.until(() => bench.driver.claimed.length === 1, 'it is claimed');
  const [container] = bench.driver.made;
  assert.ok(container && call.handle);
  await bench.until(() => container.isLoaded, 'it runs');
  return { call, container, handle: call.handle };
}

function sentTo(container: FakeContainer, type: number): Buffer[] {
  return container.frames.filter((frame) => frame.type === type).map(({ payload }) => Buffer.from(payload));
}

test('Invocation fails with ERR_FN_TIMEOUT at its deadline, and its container ends', async () => {
  await using bench = await Bench.open(obedient);
  const call = bench.call(versionOf({ timeoutMs: 500 }), '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  await bench.clock.advance(499);
  assert.equal(call.ends, 0);
  await bench.clock.advance(1);
  assert.equal(call.error?.code, 'ERR_FN_TIMEOUT');
  await bench.until(() => bench.driver.alive.size === 0, 'the container is gone');
  assert.deepEqual(bench.observer.deaths, [{ function: 'greet', cause: 'timeout', cpuSeconds: 0.25 }]);
  assert.equal((await bench.called()).body, 'hello');
});

test('Invocation that runs beside one that timed out may end before the container is ended', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ concurrency: 2, timeoutMs: 500 });
  const first = bench.call(version, '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  await bench.clock.advance(300);
  const second = bench.call(version, '/polite');
  await bench.clock.advance(200);
  assert.equal(first.error?.code, 'ERR_FN_TIMEOUT');
  assert.deepEqual([second.ends, bench.driver.made[0]?.isDead], [0, false]);
  const third = await bench.called(version);
  assert.equal(third.response?.start, 'cold');
  second.handle?.cancel('cancelled');
  await bench.until(() => bench.driver.made[0]?.isDead === true, 'its container ends');
  assert.equal(bench.receipt(second).cause, undefined);
});

test('Invocation that is cancelled and ends in time leaves its container for the next', async () => {
  await using bench = await Bench.open(obedient);
  const call = bench.call(versionOf(), '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  call.handle?.cancel('disconnected');
  assert.equal(call.error?.code, 'ERR_CANCELLED');
  const [container] = bench.driver.made;
  assert.ok(container);
  await bench.until(() => container.open.size === 0, 'it ends');
  assert.deepEqual(decodeJson(container.frames.at(-1) ?? assert.fail()), { reason: 'disconnected' });
  await bench.clock.advance(1000);
  assert.equal((await bench.called()).response?.start, 'warm');
  assert.equal(bench.receipt(call).outcome, 'ERR_CANCELLED');
  assert.equal(bench.receipt(call).cause, undefined);
});

test('Invocation that is cancelled and does not end within cancelGraceMs takes its container with it', async () => {
  await using bench = await Bench.open(obedient, { cancelGraceMs: 100 });
  const call = bench.call(versionOf(), '/never');
  await bench.until(() => bench.driver.claimed.length === 1, 'it runs');
  call.handle?.cancel('disconnected');
  await bench.clock.advance(99);
  assert.equal(bench.driver.made[0]?.isDead, false);
  await bench.clock.advance(1);
  assert.equal(bench.driver.made[0]?.isDead, true);
  assert.equal(bench.receipt(call).cause, 'cancelled');
});

test('Invocation that waits can be cancelled, and then starts nothing', async () => {
  await using bench = await Bench.open(obedient);
  const version = versionOf({ maxContainers: 1 });
  const first = bench.call(version, '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  const waiting = bench.call(version);
  waiting.handle?.cancel('disconnected');
  assert.equal(waiting.error?.code, 'ERR_CANCELLED');
  first.handle?.cancel('cancelled');
  await bench.clock.advance(10);
  assert.equal(bench.driver.made[0]?.openMax, 1);
  assert.equal(bench.receipt(waiting).bytesIn, 0);
});

for (const [path, code, cause] of [
  ['/exit', 'ERR_FN_EXITED', 'crash'],
  ['/oom', 'ERR_FN_OUT_OF_MEMORY', 'oom'],
  ['/segv', 'ERR_FN_CRASHED', 'crash'],
] as const) {
  test(`Invocation fails with ${code} when its container dies by ${path}`, async () => {
    await using bench = await Bench.open(obedient);
    const call = await bench.called(versionOf(), path);
    assert.equal(call.error?.code, code);
    assert.equal(bench.receipt(call).cause, cause);
    assert.equal((await bench.called()).body, 'hello');
    const line = bench.observer.lines.find(({ invocationId }) => invocationId === call.id);
    assert.equal(line?.channel, 'platform');
  });
}

for (const [exit, code] of [
  [{ signal: 'SIGSYS' }, 'ERR_FN_FORBIDDEN_SYSCALL'],
  [{ signal: 'SIGABRT', pidsDenied: true }, 'ERR_FN_TOO_MANY_PROCESSES'],
  [{ code: 0, pidsDenied: true }, 'ERR_FN_CRASHED'],
  [{ code: 7 }, 'ERR_FN_CRASHED'],
] as const) {
  test(`Invocation fails with ${code} when the exit is ${JSON.stringify(exit)}`, async () => {
    await using bench = await Bench.open(quiet);
    const { call, container } = await running(bench);
    container.exit(exit);
    await bench.until(() => call.ends === 1, 'it fails');
    assert.equal(call.error?.code, code);
  });
}

test('Invocation fails with ERR_FN_THREW and the error of an EXIT that has one', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench);
  const { name, message, stack } = thrown;
  const exit = { reason: 'unhandled-rejection', exitCode: 1, error: { name, message, stack } };
  container.emit(encodeJson(FrameType.EXIT, 0, exit));
  await bench.until(() => call.ends === 1, 'it fails');
  assert.equal(call.error?.code, 'ERR_FN_THREW');
  assert.deepEqual(call.failure, { name, message, stack });
  assert.ok(container.isDead);
});

test("Invocation maps a failure's stack to the sources, and logs it", async () => {
  await using bench = await Bench.open(obedient);
  // Line 2, column 9 of the bundle is line 11, column 5 of greet.ts.
  const map = { version: 3, sources: ['src/greet.ts'], names: [], mappings: ';QAUI' };
  await writeFile(join(bench.folder, 'bundle', 'index.mjs.map'), JSON.stringify(map));
  const call = await bench.called(versionOf(), '/throw');
  assert.equal(call.error?.code, 'ERR_FN_THREW');
  assert.equal(call.error.message, 'TypeError: no such thing');
  const stack = 'TypeError: no such thing\n    at handler (src/greet.ts:11:5)';
  assert.deepEqual(call.failure, { name: 'TypeError', message: 'no such thing', stack });
  const [line] = bench.observer.lines;
  assert.deepEqual([line?.channel, line?.invocationId, line?.line], ['stderr', call.id, stack]);
  assert.equal((await bench.called()).response?.start, 'warm');
});

test('Invocation keeps the stack as it is when the source map is broken', async () => {
  await using bench = await Bench.open(obedient);
  await writeFile(join(bench.folder, 'bundle', 'index.mjs.map'), '{"mappings": 1}');
  const call = await bench.called(versionOf(), '/throw');
  assert.equal(call.failure?.stack, thrown.stack);
});

test('Invocation tells bad events and bad responses apart', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench);
  container.emit(encodeJson(FrameType.ERROR, 1, { ...thrown, kind: 'bad-event' }));
  assert.equal(call.error?.code, 'ERR_FN_BAD_EVENT');
  assert.equal(call.failure, undefined);
  const second = bench.call();
  await bench.until(() => container.open.has(2), 'the second runs');
  container.emit(encodeJson(FrameType.ERROR, 2, { ...thrown, kind: 'bad-response' }));
  await bench.until(() => second.ends === 1, 'it fails');
  assert.equal(second.error?.code, 'ERR_FN_BAD_RESPONSE');
});

test('Invocation gives the head and each chunk on when it comes', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench);
  container.emit(encodeJson(FrameType.HEAD, 1, { status: 201, headers: [] }));
  assert.equal(call.response?.status, 201);
  assert.equal(call.response.bodyless, false);
  for (const text of ['one', 'two']) {
    container.emit(encodeFrame(FrameType.BODY, 1, text));
    assert.equal(call.chunks.at(-1)?.toString(), text);
  }
  container.emit(encodeFrame(FrameType.BODY, 1, '', FLAG_END));
  assert.deepEqual([call.ends, call.error, call.body], [1, undefined, 'onetwo']);
  container.emit(encodeFrame(FrameType.DONE, 1));
  assert.deepEqual([bench.receipt(call).bytesOut, bench.receipt(call).outcome], [6, 'ok']);
});

test('Invocation whose response is complete still runs until DONE, and its container serves nobody else', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container } = await running(bench, false, { maxContainers: 1 });
  container.emit(encodeJson(FrameType.HEAD, 1, { status: 204, headers: [] }, FLAG_END));
  assert.deepEqual([call.ends, call.response?.bodyless], [1, true]);
  const second = bench.call(versionOf({ maxContainers: 1 }));
  call.handle?.cancel('disconnected');
  await bench.clock.advance(200);
  assert.deepEqual([...container.open], [1]);
  assert.equal(bench.observer.receipts.length, 0);
  await bench.clock.advance(800);
  const receipt = bench.receipt(call);
  assert.deepEqual([receipt.outcome, receipt.cause, receipt.runMs], ['ok', 'timeout', 0]);
  await bench.until(() => bench.driver.claimed.length === 2, 'the second gets another container');
  assert.equal(second.ends, 0);
});

test('Invocation sends the body of a request within the credit that the container gives', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container, handle } = await running(bench, true);
  const half = STREAM_WINDOW_BYTES / 2;
  assert.equal(handle.write(Buffer.alloc(half, 1)), true);
  assert.equal(handle.write(Buffer.alloc(half, 2)), true);
  assert.equal(handle.write(Buffer.alloc(10, 3)), false);
  const sent = (): number => sentTo(container, FrameType.BODY).reduce((sum, { length }) => sum + length, 0);
  assert.equal(sent(), STREAM_WINDOW_BYTES);
  container.emit(encodeCredit(1, 4));
  assert.deepEqual([sent(), call.drains], [STREAM_WINDOW_BYTES + 4, 0]);
  container.emit(encodeCredit(1, 100));
  assert.deepEqual([sent(), call.drains], [STREAM_WINDOW_BYTES + 10, 1]);
  handle.end();
  const last = container.frames.at(-1);
  assert.deepEqual([last?.type, last?.flags, last?.payload.byteLength], [FrameType.BODY, FLAG_END, 0]);
  respond(container, 1);
  assert.equal(bench.receipt(call).bytesIn, STREAM_WINDOW_BYTES + 10);
});

test('Invocation sends what was written before it had a container together with INVOKE', async () => {
  await using bench = await Bench.open(hello);
  const call = bench.call(versionOf(), '/', true);
  assert.ok(call.handle);
  assert.equal(call.handle.write(Buffer.from('early')), true);
  assert.equal(call.handle.write(Buffer.alloc(STREAM_WINDOW_BYTES)), false);
  call.handle.end();
  await bench.until(() => call.ends === 1, 'it is served');
  const [container] = bench.driver.made;
  assert.ok(container);
  assert.equal(container.sends, 1);
  const bodies = sentTo(container, FrameType.BODY);
  assert.equal(bodies[0]?.toString(), 'early');
  assert.equal(bodies[1]?.byteLength, STREAM_WINDOW_BYTES - 5);
  assert.equal(bodies.length, 2);
});

test('Invocation holds bodies back while the container takes no more', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container, handle } = await running(bench, true);
  container.takesMore = false;
  assert.equal(handle.write(Buffer.from('a')), true);
  assert.equal(handle.write(Buffer.from('b')), false);
  assert.equal(sentTo(container, FrameType.BODY).length, 1);
  container.takesMore = true;
  container.events.drain();
  assert.equal(sentTo(container, FrameType.BODY).length, 2);
  assert.equal(call.drains, 1);
});

test('Invocation gives credit for what its reader took, and none while the reader is full', async () => {
  await using bench = await Bench.open(quiet);
  const { call, container, handle } = await running(bench);
  const half = STREAM_WINDOW_BYTES / 2;
  container.emit(encodeJson(FrameType.HEAD, 1, { status: 200, headers: [] }));
  const credits = (): number[] =>
    container.frames.filter(({ type }) => type === FrameType.CREDIT).map((frame) => decodeCredit(frame));
  container.emit(encodeFrame(FrameType.BODY, 1, Buffer.alloc(half - 1)));
  assert.deepEqual(credits(), []);
  container.emit(encodeFrame(FrameType.BODY, 1, Buffer.alloc(1)));
  assert.deepEqual(credits(), [half]);
  call.hasRoom = false;
  container.emit(
    encodeFrame(FrameType.BODY, 1, Buffer.alloc(half)),
    encodeFrame(FrameType.BODY, 1, Buffer.alloc(half)),
  );
  assert.deepEqual(credits(), [half]);
  assert.equal(call.ends, 0);
  handle.resume();
  assert.deepEqual(credits(), [half, 2 * half]);
});

test('Invocation does nothing after its end', async () => {
  await using bench = await Bench.open(hello);
  const call = await bench.called(versionOf(), '/', true);
  assert.ok(call.handle);
  const [container] = bench.driver.made;
  const before = container?.frames.length;
  assert.equal(call.handle.write(Buffer.from('late')), true);
  call.handle.end();
  call.handle.resume();
  call.handle.cancel('disconnected');
  await bench.clock.advance(1000);
  assert.equal(container?.frames.length, before);
  assert.equal(container?.isDead, false);
});
