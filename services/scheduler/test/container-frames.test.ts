import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  catalogue,
  encodeCredit,
  encodeFrame,
  encodeJson,
  FLAG_END,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameType,
  STREAM_WINDOW_BYTES,
} from '@hob/contracts';
import * as fc from 'fast-check';
import { Bench, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { hello, load, respond } from './fakes/programs.ts';

const head = encodeJson(FrameType.HEAD, 1, { status: 200, headers: [] });
const many = Array.from({ length: 1002 }, () => 'x');
const full = encodeFrame(FrameType.BODY, 1, Buffer.alloc(STREAM_WINDOW_BYTES));
/** A frame whose payload is not what its type says. */
const json = (type: FrameType, payload: object, stream = 1): Buffer => encodeJson(type, stream, payload);

/** What a container must not say while its first call, on stream 1, runs. */
const violations: Readonly<Record<string, readonly Buffer[]>> = {
  'PARKED again': [json(FrameType.PARKED, { nodeVersion: 'v24' }, 0)],
  'LOADED again': [json(FrameType.LOADED, { cacheRejected: false }, 0)],
  'a frame of the host': [json(FrameType.INVOKE, {})],
  'CACHE that nobody asked for': [encodeFrame(FrameType.CACHE, 0, 'x', FLAG_END)],
  'EXIT on a stream': [json(FrameType.EXIT, { reason: 'exit', exitCode: 0 })],
  'EXIT without a reason': [json(FrameType.EXIT, { exitCode: 0 }, 0)],
  'HEAD on stream 0': [json(FrameType.HEAD, { status: 200, headers: [] }, 0)],
  'HEAD of an unknown stream': [json(FrameType.HEAD, { status: 200, headers: [] }, 2)],
  'HEAD twice': [head, head],
  'HEAD with a bad status': [json(FrameType.HEAD, { status: 100, headers: [] })],
  'HEAD with a status that is text': [json(FrameType.HEAD, { status: '200', headers: [] })],
  'HEAD with half a header': [json(FrameType.HEAD, { status: 200, headers: ['a'] })],
  'HEAD with a header that is a number': [json(FrameType.HEAD, { status: 200, headers: ['a', 1] })],
  'HEAD with too many headers': [json(FrameType.HEAD, { status: 200, headers: many })],
  'HEAD with too long headers': [json(FrameType.HEAD, { status: 200, headers: ['a', 'x'.repeat(65_536)] })],
  'HEAD that is not UTF-8': [encodeFrame(FrameType.HEAD, 1, Buffer.from([0xff, 0xfe]))],
  'HEAD that is not JSON': [encodeFrame(FrameType.HEAD, 1, '{')],
  'HEAD that is a list': [encodeFrame(FrameType.HEAD, 1, '[]')],
  'BODY before HEAD': [encodeFrame(FrameType.BODY, 1, 'x')],
  'BODY of nothing': [head, encodeFrame(FrameType.BODY, 1, '')],
  'BODY over its credit at once': [head, encodeFrame(FrameType.BODY, 1, Buffer.alloc(STREAM_WINDOW_BYTES + 1))],
  'DONE before the end': [head, encodeFrame(FrameType.DONE, 1)],
  'DONE of nothing': [encodeFrame(FrameType.DONE, 1)],
  'CREDIT of nothing': [encodeCredit(1, 0)],
  'CREDIT of too much': [encodeCredit(1, 0xffff_ffff)],
  'CREDIT that is no number': [encodeFrame(FrameType.CREDIT, 1, 'x')],
  'CREDIT for a call that never was': [encodeCredit(9, 1)],
  'ERROR without a kind': [json(FrameType.ERROR, { name: 'E', message: 'm', stack: 's' })],
  'ERROR without a stack': [json(FrameType.ERROR, { kind: 'threw', name: 'E', message: 'm' })],
  'LOG without a channel': [json(FrameType.LOG, { line: 'x' })],
  'LOG without a line': [json(FrameType.LOG, { channel: 'stdout' })],
  'LOG of a call that never was': [json(FrameType.LOG, { channel: 'stdout', line: 'x' }, 9)],
  'LOG of half a frame': [json(FrameType.LOG, { channel: 'stdout', line: 'x'.repeat(200_000) })],
  'an unknown type': [Buffer.from([0, 0, 0, 0, 99, 0, 1, 0, 0, 0])],
  'a frame that is too large': [Buffer.from([1, 0, 16, 0, FrameType.BODY, 0, 1, 0, 0, 0])],
};

for (const [what, frames] of Object.entries(violations)) {
  test(`Container that says ${what} is ended, and others are not`, async () => {
    const program: Program = (frame, container) => {
      if (load(frame, container) || frame.type !== FrameType.INVOKE) return;
      if (container.id === 'fake-1') respond(container, frame.stream);
      else container.emit(...frames);
    };
    await using bench = await Bench.open(program);
    await bench.called(versionOf({ name: 'neighbour' }));
    const call = await bench.called();
    assert.match(String(call.error?.code), /^ERR_FN_PROTOCOL$|^ERR_FRAME_/);
    assert.equal(bench.receipt(call).cause, 'crash');
    await bench.until(() => bench.driver.alive.size === 1, 'it is gone');
    assert.equal((await bench.called(versionOf({ name: 'neighbour' }))).response?.start, 'warm');
  });
}

test('Container that sends over its credit while the reader is full is ended', async () => {
  const program: Program = (frame, container) => {
    if (!load(frame, container) && frame.type === FrameType.INVOKE) container.emit(head, full);
  };
  await using bench = await Bench.open(program);
  const call = bench.call();
  call.hasRoom = false;
  await bench.until(() => call.bytes === STREAM_WINDOW_BYTES, 'the window is full');
  bench.driver.made[0]?.emit(encodeFrame(FrameType.BODY, 1, 'x'));
  assert.equal(call.error?.code, 'ERR_FN_PROTOCOL');
});

test('Container that goes on after the end of a response is ended, and the response stays complete', async () => {
  const end = encodeFrame(FrameType.BODY, 1, 'x', FLAG_END);
  const program: Program = (frame, container) => {
    if (!load(frame, container) && frame.type === FrameType.INVOKE) container.emit(head, end, end);
  };
  await using bench = await Bench.open(program);
  const call = await bench.called();
  assert.deepEqual([call.body, call.error], ['x', undefined]);
  assert.deepEqual([bench.receipt(call).outcome, bench.receipt(call).cause], ['ok', 'crash']);
  assert.ok(bench.driver.made[0]?.isDead);
});

test('Container that answers while it loads is ended', async () => {
  await using bench = await Bench.open((frame, container) => {
    if (frame.type === FrameType.INVOKE) respond(container, frame.stream);
  });
  assert.equal((await bench.called()).error?.code, 'ERR_FN_PROTOCOL');
});

test('Container may give credit and log a line after the end of a call', async () => {
  await using bench = await Bench.open(hello);
  const call = await bench.called();
  const [container] = bench.driver.made;
  container?.emit(encodeCredit(1, 5), encodeJson(FrameType.LOG, 1, { channel: 'stdout', line: 'late' }));
  assert.equal(container?.isDead, false);
  const [line] = bench.observer.lines;
  assert.deepEqual([line?.line, line?.invocationId], ['late', call.id]);
});

test('Container that is idle and says a call ended is ended', async () => {
  await using bench = await Bench.open(hello);
  await bench.called();
  const [container] = bench.driver.made;
  container?.emit(encodeFrame(FrameType.DONE, 1));
  assert.equal(container?.isDead, true);
});

test('Container may flood its log: lines over the rate are dropped and counted', async () => {
  await using bench = await Bench.open(hello, { logLinesPerSecond: 10 });
  await bench.called();
  const [container] = bench.driver.made;
  const line = encodeJson(FrameType.LOG, 0, { channel: 'stdout', line: 'x' });
  for (let count = 0; count < 1000; count++) container?.emit(line);
  assert.equal(bench.observer.lines.length, 10);
  await bench.clock.advance(1000);
  container?.events.output('stderr', 'from a child process');
  assert.deepEqual(
    bench.observer.lines.slice(10).map(({ channel, line: text }) => [channel, text]),
    [
      ['platform', '990 lines dropped: more than 10 lines or 4194304 bytes a second'],
      ['stderr', 'from a child process'],
    ],
  );
  assert.equal((await bench.called()).response?.start, 'warm');
});

test('Container that sends arbitrary bytes never hangs a call: it ends with a catalogued code', async () => {
  const frame = fc
    .record({
      type: fc.integer({ min: 0, max: 20 }),
      flags: fc.integer({ min: 0, max: 255 }),
      stream: fc.integer({ min: 0, max: 3 }),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
    })
    .map(({ type, flags, stream, payload }) => {
      const header = Buffer.alloc(10);
      header.writeUInt32LE(payload.byteLength, 0);
      header[4] = type;
      header[5] = flags;
      header.writeUInt32LE(stream, 6);
      return Buffer.concat([header, payload]);
    });
  await using bench = await Bench.open(hello, { keepAliveMs: 0 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(frame, fc.uint8Array({ maxLength: 64 })), { maxLength: 8 }), async (pieces) => {
      bench.driver.program = (received, container) => {
        if (!load(received, container) && received.type === FrameType.INVOKE) container.emit(...pieces);
      };
      const call = bench.call();
      await bench.until(() => call.ends > 0 || [...bench.driver.alive].some(({ open }) => open.size > 0), 'it runs');
      await bench.clock.advance(1000);
      await bench.until(() => call.ends === 1 && bench.driver.alive.size === 0, 'it ends');
      assert.ok(call.error === undefined || call.error.code in catalogue);
      assert.notEqual(call.error?.code, 'ERR_INTERNAL');
      // A load that failed would make the next start wait.
      await bench.clock.advance(10_000);
    }),
    { numRuns: 150 },
  );
});

test('frames are bounded by the codec', () => {
  assert.throws(() => encodeFrame(FrameType.BODY, 1, Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX + 1)), {
    code: 'ERR_FRAME_TOO_LARGE',
  });
});
