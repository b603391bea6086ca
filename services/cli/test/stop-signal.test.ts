import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { type StopReason, StopSignal } from '../src/serve/stop-signal.ts';

function listening() {
  const source = new EventEmitter();
  const cuts: StopReason[] = [];
  const time = { nowMs: 1000 };
  const stop = new StopSignal(
    source,
    (reason) => cuts.push(reason),
    () => time.nowMs,
  );
  return { source, cuts, time, stop };
}

test('StopSignal.asked is the first signal, and the copies that npx passes on cut nothing', async () => {
  const { source, cuts, time, stop } = listening();
  source.emit('SIGINT', 'SIGINT');
  time.nowMs += 50;
  source.emit('SIGINT', 'SIGINT');
  source.emit('SIGTERM', 'SIGTERM');
  assert.deepEqual(await stop.asked, { signal: 'SIGINT' });
  assert.deepEqual(cuts, []);
});

test('StopSignal cuts at a second signal that comes later', () => {
  const { source, cuts, time } = listening();
  source.emit('SIGTERM', 'SIGTERM');
  time.nowMs += 1001;
  source.emit('SIGINT', 'SIGINT');
  assert.deepEqual(cuts, [{ signal: 'SIGINT' }]);
});

test('StopSignal.asked is also an uncaught error, and one while stopping cuts at once', async () => {
  const { source, cuts, stop } = listening();
  const first = new Error('first');
  const second = new Error('second');
  source.emit('unhandledRejection', first);
  source.emit('uncaughtException', second);
  assert.deepEqual(await stop.asked, { error: first });
  assert.deepEqual(cuts, [{ error: second }]);
});

test('StopSignal leaves no listener behind', () => {
  const { source, stop } = listening();
  assert.ok(source.eventNames().length > 0);
  stop[Symbol.dispose]();
  assert.deepEqual(source.eventNames(), []);
});
