import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, double, integer, property } from 'fast-check';
import { HybridHistogram, hybridDefaults } from '../../src/keep-alive/index.ts';

const MINUTE_MS = 60_000;
const options = { ...hybridDefaults, standardKeepAliveMs: 10 * MINUTE_MS };
const standard = { preloadAfterMs: 0, keepAliveMs: options.standardKeepAliveMs };

/** A histogram of these idle times. */
function histogramOf(idleMinutes: readonly number[], changes: Partial<typeof options> = {}): HybridHistogram {
  const histogram = new HybridHistogram({ ...options, ...changes });
  for (const minutes of idleMinutes) histogram.add(minutes * MINUTE_MS);
  return histogram;
}

const times = (count: number, minutes: number): number[] => Array.from({ length: count }, () => minutes);

test('HybridHistogram: the standard keep-alive holds until there are enough idle times', () => {
  assert.deepEqual(histogramOf([]).window, standard);
  assert.deepEqual(histogramOf(times(9, 30)).window, standard);
  assert.notDeepEqual(histogramOf(times(10, 30)).window, standard);
});

test('HybridHistogram: a function that is called by the clock is loaded shortly before its call', () => {
  const { preloadAfterMs, keepAliveMs } = histogramOf(times(20, 30.5)).window;
  assert.equal(preloadAfterMs, 27 * MINUTE_MS);
  assert.equal(Math.round(preloadAfterMs + keepAliveMs), 34.1 * MINUTE_MS);
});

test('HybridHistogram: a function that is called at once again is not ended', () => {
  const { preloadAfterMs, keepAliveMs } = histogramOf(times(20, 0.1)).window;
  assert.equal(preloadAfterMs, 0);
  assert.equal(Math.round(keepAliveMs), 1.1 * MINUTE_MS);
});

test('HybridHistogram: one idle time in a hundred does not move the window', () => {
  const regular = histogramOf(times(200, 30)).window;
  assert.deepEqual(histogramOf([...times(200, 30), 90, 2]).window, regular);
  assert.ok(histogramOf([...times(200, 30), ...times(20, 90)]).window.keepAliveMs > regular.keepAliveMs);
});

test('HybridHistogram: idle times all over the range, and ones beyond it, tell nothing', () => {
  const everywhere = Array.from({ length: options.bins }, (_, minute) => minute);
  assert.deepEqual(histogramOf([...everywhere, ...everywhere]).window, standard);
  assert.deepEqual(histogramOf([...times(20, 30), ...times(20, 300)]).window, standard);
  assert.notDeepEqual(histogramOf([...times(21, 30), ...times(20, 300)]).window, standard);
  assert.deepEqual(histogramOf(times(100, 300)).window, standard);
});

test('HybridHistogram: what was long ago fades', () => {
  const histogram = histogramOf([...times(100, 200), ...times(1000, 3)], { samplesMax: 128 });
  assert.deepEqual(histogram.window, histogramOf(times(100, 3)).window);
});

test('HybridHistogram: idle times of no length and of any are taken', () => {
  const extremes = [-1, -Infinity, 0, Number.MIN_VALUE, Number.MAX_VALUE, Infinity];
  const { preloadAfterMs, keepAliveMs } = histogramOf([...extremes, ...times(50, 0)]).window;
  assert.ok(preloadAfterMs === 0 && keepAliveMs > 0);
});

test('HybridHistogram: a window that is learnt holds the head and the tail of what fits, whatever the order', () => {
  const few = double({ min: 0, max: 20, noNaN: true });
  check(
    property(array(few, { minLength: 10, maxLength: 300 }), integer({ min: 1, max: 11 }), (part, factor) => {
      const idle = part.map((minutes) => minutes * factor);
      const histogram = histogramOf(idle, { variationMin: 0 });
      const { preloadAfterMs, keepAliveMs } = histogram.window;
      const endMs = preloadAfterMs + keepAliveMs;
      const within = idle.filter((minutes) => {
        const idleMs = minutes * MINUTE_MS;
        return idleMs >= preloadAfterMs && idleMs < endMs;
      });
      assert.ok(preloadAfterMs >= 0 && keepAliveMs > 0);
      assert.ok(within.length >= Math.floor((options.tail - options.head) * idle.length));
      assert.deepEqual(histogramOf(idle.toReversed(), { variationMin: 0 }).window, histogram.window);
    }),
  );
});

test('HybridHistogram: the variation is that of the counts, also after these were halved', () => {
  const minute = integer({ min: 0, max: options.bins - 1 });
  check(
    property(array(minute, { minLength: 10, maxLength: 60 }), integer({ min: 1, max: 2000 }), (minutes, limit) => {
      const counts = Array.from({ length: options.bins }, () => 0);
      for (const each of minutes) counts[each] = (counts[each] ?? 0) + 2;
      const twice = [...minutes, ...minutes];
      const mean = twice.length / counts.length;
      const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length;
      const variationMin = limit / 100;
      const isFlat = Math.sqrt(variance) / mean < variationMin;
      // A halved histogram of twice as many is that of the single ones: the same variation.
      for (const samplesMax of [4096, twice.length]) {
        const { window } = histogramOf(twice, { variationMin, samplesMax });
        assert.equal(window.preloadAfterMs === 0 && window.keepAliveMs === standard.keepAliveMs, isFlat);
      }
    }),
  );
});
