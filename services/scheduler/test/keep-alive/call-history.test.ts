import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, double, integer, property, record } from 'fast-check';
import { CallHistories, CallHistory, FORGET_MS, HybridHistogram, hybridDefaults } from '../../src/keep-alive/index.ts';

const limits = { keepAliveMs: 60_000, keepAliveMaxMs: 14_400_000 };
const MINUTE_MS = 60_000;

/** A history of calls of a second each, at an interval. */
function historyOf(count: number, everyMs: number, of = limits): CallHistory {
  const history = new CallHistory(of);
  for (let call = 0; call < count; call += 1) {
    history.called(call * everyMs);
    history.ended(call * everyMs + 1000);
  }
  return history;
}

test('CallHistory: idle times run from the end of the last call to the next, while none runs', () => {
  assert.deepEqual(historyOf(10, 10 * MINUTE_MS).window, { preloadAfterMs: 0, keepAliveMs: limits.keepAliveMs });
  const history = historyOf(11, 10 * MINUTE_MS);
  assert.ok(history.hasLearned);
  // 9 minutes and 59 seconds are in the tenth bin.
  const preloadAfterMs = 0.9 * 9 * MINUTE_MS;
  assert.equal(history.window.preloadAfterMs, preloadAfterMs);
  // Up to a millisecond more: times are whole.
  assert.equal(Math.floor(history.window.keepAliveMs / 10) * 10, 1.1 * 10 * MINUTE_MS - preloadAfterMs);
});

test('CallHistory: calls that overlap are one time without idling', () => {
  const history = new CallHistory(limits);
  for (let round = 0; round < 50; round += 1) {
    const atMs = round * 10 * MINUTE_MS;
    for (let call = 0; call < 5; call += 1) history.called(atMs + call);
    assert.equal(history.idleSinceMs, undefined);
    for (let call = 0; call < 5; call += 1) history.ended(atMs + 1000 + call);
    assert.equal(history.idleSinceMs, atMs + 1004);
  }
  assert.deepEqual(history.window, historyOf(50, 10 * MINUTE_MS).window);
  assert.equal(history.uses, 250);
  history.unloaded();
  assert.equal(history.uses, 0);
});

test('CallHistory: no window ends later than keepAliveMaxMs, and times from there on tell nothing', () => {
  const of = { keepAliveMs: 50, keepAliveMaxMs: 2400 };
  const { preloadAfterMs, keepAliveMs } = historyOf(20, 3399, of).window;
  assert.equal(preloadAfterMs + keepAliveMs, of.keepAliveMaxMs);
  assert.equal(historyOf(20, 3400, of).hasLearned, false);
});

test('CallHistory: whatever the calls, its window is the histogram’s, cut at keepAliveMaxMs', () => {
  const call = record({ waitMs: integer({ min: 0, max: 4000 }), takesMs: double({ min: 0, max: 3000, noNaN: true }) });
  check(
    property(array(call, { maxLength: 80 }), constantFrom(1000, 2400, 9600), (calls, keepAliveMaxMs) => {
      const history = new CallHistory({ keepAliveMs: 50, keepAliveMaxMs });
      const binMs = keepAliveMaxMs / hybridDefaults.bins;
      const histogram = new HybridHistogram({ ...hybridDefaults, binMs, standardKeepAliveMs: 50 });
      const events = eventsOf(calls);
      let [running, idleSinceMs] = [0, -1];
      for (const { atMs, isEnd } of events) {
        if (isEnd) {
          history.ended(atMs);
          running -= 1;
          idleSinceMs = atMs;
          continue;
        }
        if (running === 0 && idleSinceMs >= 0) histogram.add(atMs - idleSinceMs);
        running += 1;
        history.called(atMs);
      }
      assert.equal(history.idleSinceMs, calls.length === 0 ? undefined : idleSinceMs);
      const { preloadAfterMs, keepAliveMs } = history.window;
      assert.equal(preloadAfterMs, Math.floor(histogram.window.preloadAfterMs));
      assert.ok(Number.isInteger(keepAliveMs));
      assert.ok(keepAliveMs > 0);
      if (history.hasLearned) assert.ok(preloadAfterMs + keepAliveMs <= keepAliveMaxMs);
      else assert.deepEqual(history.window, { preloadAfterMs: 0, keepAliveMs: 50 });
    }),
  );
});

interface Event {
  readonly atMs: number;
  readonly isEnd: boolean;
}

/** The beginnings and ends of calls, in the order of their times. */
function eventsOf(calls: readonly { readonly waitMs: number; readonly takesMs: number }[]): Event[] {
  const events: Event[] = [];
  let nowMs = 0;
  for (const { waitMs, takesMs } of calls) {
    nowMs += waitMs;
    events.push({ atMs: nowMs, isEnd: false }, { atMs: nowMs + takesMs, isEnd: true });
  }
  return events.sort((a, b) => a.atMs - b.atMs);
}

test('CallHistories forgets a function that was not called for a week, once others come, and none that runs', () => {
  const histories = new CallHistories(limits);
  histories.called('old', 0);
  histories.ended('old', 1);
  histories.called('running', 0);
  histories.called('other', FORGET_MS);
  assert.equal(histories.size, 3);
  histories.called('newer', 2 * FORGET_MS);
  assert.equal(histories.size, 3);
  assert.equal(histories.of('running').uses, 1);
  assert.equal(histories.of('old').uses, 0);
  histories.forget('running');
  histories.ended('running', 0);
  assert.equal(histories.size, 2);
});

test('CallHistories holds no more functions than were called in a week, however many come', () => {
  const histories = new CallHistories(limits);
  const everyMs = FORGET_MS / 1000;
  for (let at = 0; at < 10_000; at += 1) {
    histories.called(`f${at}`, at * everyMs);
    histories.ended(`f${at}`, at * everyMs);
    assert.ok(histories.size <= 1020, `${histories.size}`);
  }
});
