import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import {
  encodeCredit,
  encodeFrame,
  encodeJson,
  fail,
  FLAG_END,
  FrameType,
  type HobError,
  type InvocationHandle,
  type InvocationSink,
  isHobError,
  type ResponseHead,
  STREAM_WINDOW_BYTES,
} from '@hob/contracts';
import * as fc from 'fast-check';
import { RequestCount } from '../../src/request-count.ts';
import { FrameConnection } from '../../src/workers/frame-connection.ts';
import { RemoteInvoker } from '../../src/workers/remote-invoker.ts';
import { WorkerLink } from '../../src/workers/worker-link.ts';
import { FakeInvoker, headOf } from '../fakes/fake-invoker.ts';
import { configOf, FakeDirectory } from '../fakes/fake-services.ts';
import { until } from '../fakes/test-gateway.ts';

/** What a call's caller was told, and whether it was told in a right order. */
class Caller implements InvocationSink {
  readonly chunks: Buffer[] = [];
  response: ResponseHead | undefined;
  error: HobError | undefined;
  isOver = false;
  drained = 0;
  takesMore = true;

  head(head: ResponseHead): void {
    assert.ok(!this.isOver && this.response === undefined, 'one head');
    this.response = head;
  }

  chunk(bytes: Uint8Array): boolean {
    assert.ok(!this.isOver && this.response !== undefined, 'a chunk between head and end');
    this.chunks.push(Buffer.from(bytes));
    return this.takesMore;
  }

  end(): void {
    assert.ok(!this.isOver && this.response !== undefined, 'an end after the head');
    this.isOver = true;
  }

  fail(error: HobError): void {
    assert.ok(!this.isOver, 'one end');
    this.isOver = true;
    this.error = error;
  }

  drain(): void {
    this.drained += 1;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

class Bench {
  readonly invoker = new FakeInvoker();
  readonly directory = new FakeDirectory();
  readonly version = this.directory.add(configOf('hello'));
  readonly requests: RequestCount;
  readonly link: WorkerLink;
  readonly remote: RemoteInvoker;
  readonly theirs: Duplex;
  #calls = 0;

  constructor(requestsMax = 100) {
    this.requests = new RequestCount(requestsMax);
    const [ours, theirs] = duplexPair();
    this.theirs = theirs;
    const { invoker, directory, requests } = this;
    this.link = new WorkerLink(ours, { invoker, directory, requests, draining: () => false });
    const connection = new FrameConnection(theirs, {
      frame: (frame) => this.remote.take(frame),
      drained: () => this.remote.drain(),
      closed: () => this.remote.lost(),
    });
    this.remote = new RemoteInvoker(connection);
  }

  call(caller: Caller, hasBody = false): { readonly id: string; readonly handle: InvocationHandle } {
    this.#calls += 1;
    const id = `00000000-0000-4000-8000-${String(this.#calls).padStart(12, '0')}`;
    const request = { id, version: this.version, method: 'POST', url: 'http://a/b?c', headers: ['x', 'y'], hasBody };
    return { id, handle: this.remote.invoke(request, caller) };
  }
}

test('RemoteInvoker carries a call and its answer unchanged', async () => {
  const bench = new Bench();
  const caller = new Caller();
  const { id, handle } = bench.call(caller);
  await until(() => caller.isOver, 'it is answered');
  const { request } = bench.invoker.last;
  assert.deepEqual(request, {
    id,
    version: bench.version,
    method: 'POST',
    url: 'http://a/b?c',
    headers: ['x', 'y'],
    hasBody: false,
  });
  assert.deepEqual(caller.response, headOf(200, ['content-type', 'text/plain']));
  assert.equal(caller.body.toString(), 'hello');
  assert.equal(bench.requests.now, 1, 'its response is on its way');
  bench.remote.closed(handle);
  await until(() => bench.requests.now === 0, 'it is over');
  assert.equal(bench.invoker.last.cancelled, undefined);
});

test('RemoteInvoker streams bodies of any pieces both ways, and never more than a window ahead of a full reader', async () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(pieces, async (sizes) => {
      const bench = new Bench();
      const caller = new Caller();
      bench.invoker.onCall = (call) => (call.takesMore = false);
      const { handle } = bench.call(caller, true);
      const sent = sizes.map((size, index) => Buffer.alloc(size, index + 1));
      let hasRoom = true;
      for (const piece of sent) hasRoom = handle.write(piece);
      handle.end();
      const total = Buffer.concat(sent);
      const first = Math.min(total.byteLength, STREAM_WINDOW_BYTES);
      await until(() => bench.invoker.calls.length === 1 && bench.invoker.last.body.byteLength >= first, 'a window');
      const { last } = bench.invoker;
      assert.equal(last.body.byteLength, first);
      if (total.byteLength > STREAM_WINDOW_BYTES) assert.equal(hasRoom, false);
      last.takesMore = true;
      last.sink.drain();
      await until(() => last.ended, 'all of it is there');
      assert.ok(last.body.equals(total));
      // And back.
      caller.takesMore = false;
      last.sink.head(headOf(200));
      for (const piece of sent) last.sink.chunk(piece);
      last.sink.end();
      await until(() => caller.body.byteLength >= first, 'a window back');
      assert.equal(caller.body.byteLength, first);
      caller.takesMore = true;
      handle.resume();
      await until(() => caller.isOver, 'all of it is back');
      assert.ok(caller.body.equals(total));
    }),
    { numRuns: 25 },
  );
});

test('WorkerCalls tells failures, cancels, and counts the calls of all workers against one limit', async () => {
  const bench = new Bench(2);
  bench.invoker.onCall = () => undefined;
  const callers = [new Caller(), new Caller(), new Caller()];
  const calls = callers.map((caller) => bench.call(caller));
  await until(() => callers[2]?.isOver === true, 'the third is refused');
  assert.equal(callers[2]?.error?.code, 'ERR_HTTP_TOO_MANY_REQUESTS');
  assert.equal(bench.invoker.calls.length, 2);
  calls[0]?.handle.cancel('disconnected');
  await until(() => bench.invoker.calls[0]?.cancelled === 'disconnected', 'it is cancelled');
  bench.invoker.last.sink.fail(fail('ERR_FN_TIMEOUT', [5]), { name: 'E', message: 'm', stack: 's' }, headOf(200));
  await until(() => callers[1]?.isOver === true, 'it has failed');
  assert.equal(callers[1]?.error?.code, 'ERR_FN_TIMEOUT');
  assert.equal(callers[1]?.error?.message, fail('ERR_FN_TIMEOUT', [5]).message);
  for (const { handle } of calls) bench.remote.closed(handle);
  await until(() => bench.requests.now === 0, 'none is left');
});

test('WorkerCalls refuses a version that was removed meanwhile', async () => {
  const bench = new Bench();
  await bench.directory.remove('hello');
  const caller = new Caller();
  bench.call(caller);
  await until(() => caller.isOver, 'it is refused');
  assert.equal(caller.error?.code, 'ERR_FN_NOT_FOUND');
});

test('a broken connection cancels every call as disconnected, and fails those of the worker', async () => {
  const bench = new Bench();
  bench.invoker.onCall = () => undefined;
  const callers = [new Caller(), new Caller()];
  for (const caller of callers) bench.call(caller);
  await until(() => bench.invoker.calls.length === 2, 'both run');
  bench.link.destroy();
  assert.deepEqual(
    bench.invoker.calls.map(({ cancelled }) => cancelled),
    ['disconnected', 'disconnected'],
  );
  assert.equal(bench.requests.now, 0);
  await until(() => callers.every(({ isOver }) => isOver), 'the worker knows');
  const late = new Caller();
  bench.call(late);
  assert.equal(late.error?.code, 'ERR_SCHED_CLOSED');
});

const types = Object.values(FrameType);
const id = fc.constantFrom('00000000-0000-4000-8000-000000000001', 'no-id', '');
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  fc
    .record({
      id,
      name: fc.constantFrom('hello', '', 7),
      version: fc.constantFrom(1, 2, '1'),
      method: fc.constantFrom('GET', 'a b'),
      url: fc.constantFrom('http://a/', 5),
      headers: fc.constantFrom([], ['a', 'b'], ['a'], [1, 2], 'a'),
      reason: fc.constantFrom('disconnected', 'because'),
      status: fc.constantFrom(200, 'x'),
    })
    .map((json) => Buffer.from(JSON.stringify(json))),
  fc.nat().map((bytes) => encodeCredit(1, bytes).subarray(10)),
);
const anyFrame = fc
  .record({
    type: fc.constantFrom(...types),
    stream: fc.constantFrom(0, 1, 2, 0xffff_ffff),
    flags: fc.constantFrom(0, FLAG_END),
    payload,
  })
  .map((one) => encodeFrame(one.type, one.stream, one.payload, one.flags));
const invoke = encodeJson(FrameType.INVOKE, 1, {
  id: '00000000-0000-4000-8000-000000000009',
  name: 'hello',
  version: 1,
  method: 'POST',
  url: 'http://a/',
  headers: [],
});

test('WorkerLink takes any frames of a worker, cuts it off by a coded error, and leaves no call', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(anyFrame, fc.constant(invoke)), { maxLength: 12 }), async (frames) => {
      const bench = new Bench();
      bench.invoker.onCall = () => undefined;
      bench.theirs.write(Buffer.concat([invoke, ...frames]));
      bench.theirs.end();
      const error = await bench.link.gone;
      if (error !== undefined) assert.ok(isHobError(error) && error.code.startsWith('ERR_FRAME_'), String(error));
      assert.equal(bench.requests.now, 0);
      for (const call of bench.invoker.calls) assert.ok(call.cancelled !== undefined, 'it was cancelled');
    }),
    { numRuns: 500 },
  );
});

test('RemoteInvoker takes any frames of the server, and tells each caller one end in a right order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), async (frames) => {
      const [ours, theirs] = duplexPair();
      const over = Promise.withResolvers<HobError | undefined>();
      const connection: FrameConnection = new FrameConnection(theirs, {
        frame: (frame) => remote.take(frame),
        drained: () => remote.drain(),
        closed: (error) => {
          remote.lost();
          over.resolve(error);
        },
      });
      const remote = new RemoteInvoker(connection);
      const caller = new Caller();
      const { version } = new Bench();
      const request = { id: 'x', version, method: 'GET', url: 'http://a/', headers: [], hasBody: false };
      remote.invoke(request, caller);
      ours.resume();
      ours.write(Buffer.concat(frames));
      ours.end();
      const error = await over.promise;
      if (error !== undefined) assert.ok(isHobError(error) && error.code.startsWith('ERR_FRAME_'), String(error));
      assert.equal(caller.isOver, true);
    }),
    { numRuns: 500 },
  );
});
