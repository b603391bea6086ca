import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { InvocationContext } from '../src/invocation-context.ts';
import { InvocationSignal } from '../src/invocation-signal.ts';

function contextOf(id: string): InvocationContext {
  const deadlineMs = Date.now() + 60_000;
  const payload = { id, method: 'GET', url: 'http://h/', headers: [], deadlineMs, graceMs: 100 };
  const signal = new InvocationSignal(payload);
  return new InvocationContext({
    ...{ id, functionName: 'f', functionVersion: 1, deadlineMs, signal },
    waitUntil: () => signal.close(),
  });
}

test('a context can be copied, derived from and taken apart, with its signal', () => {
  const context = contextOf('one');
  const { signal, waitUntil, getRemainingTimeInMillis } = context;
  assert.ok(signal instanceof AbortSignal);
  assert.equal(Object.assign({}, context).signal, signal);
  assert.equal((Object.create(context) as InvocationContext).signal, signal);
  assert.ok(getRemainingTimeInMillis() > 50_000);
  assert.deepEqual(Object.keys(context).toSorted(), [
    ...['awsRequestId', 'deadline', 'functionName', 'functionVersion', 'getRemainingTimeInMillis', 'invocationId'],
    ...['signal', 'waitUntil'],
  ]);
  const other = Object.getOwnPropertyDescriptor(contextOf('two'), 'signal')?.get;
  assert.throws(() => other?.call({}), TypeError);
  waitUntil(undefined);
});

test('contexts that nobody needs are garbage for young collections', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
  const count = 100_000;
  let last: object = {};
  for (let at = 0; at < 1000; at += 1) last = contextOf('id');
  collect({ type: 'major' });
  const beforeBytes = getHeapStatistics().used_heap_size;
  for (let at = 0; at < count; at += 1) {
    last = contextOf('id');
    if (at % 1000 === 0) collect({ type: 'minor' });
  }
  collect({ type: 'minor' });
  const keptBytes = getHeapStatistics().used_heap_size - beforeBytes;
  assert.ok(keptBytes < count * 40, `${keptBytes} bytes are kept`);
  assert.ok('signal' in last);
});
