import { type MeasureOptions, performance } from 'node:perf_hooks';

// Taken once, so that a container's clocks are right however often they were set before.
const nativeNow = performance.now.bind(performance);
const nativeUptime = process.uptime.bind(process);
const nativeMark = performance.mark.bind(performance);
const nativeMeasure = performance.measure.bind(performance);
const nativeToJson = performance.toJSON.bind(performance);

/** Where the clocks start: all 0 until `restartClocks`. */
const zero = { nowMs: 0, uptimeS: 0, timeOriginMs: 0 };

const now = (): number => nativeNow() - zero.nowMs;

/**
 * Makes `process.uptime()` and the time line of `performance` count from the latest call of `restartClocks`, so that
 * `timeOrigin + now()` is the time of day and marks lie on the same line. What Node itself measures for its observers
 * (`http`, `gc`, …) stays on the zygote's.
 */
export function installClocks(): void {
  process.uptime = () => nativeUptime() - zero.uptimeS;
  define('now', now);
  Object.defineProperty(performance, 'timeOrigin', {
    get: () => zero.timeOriginMs,
    configurable: true,
    enumerable: true,
  });
  define('toJSON', () => ({ ...(nativeToJson() as object), timeOrigin: zero.timeOriginMs }));
  define('mark', (name: string, options?: { startTime?: number; detail?: unknown }) =>
    nativeMark(name, { ...options, startTime: options?.startTime ?? now() }),
  );
  define('measure', (name: string, start?: string | MeasureOptions, end?: string) =>
    nativeMeasure(name, measureOptions(start, end)),
  );
}

/** Only ever goes forward, whatever the clock on the wall is set to, ms. Not what `performance.now()` shows to functions. */
export const monotonicMs = (): number => nativeNow();

/** Starts the clocks anew, from 0 at this moment. */
export function restartClocks(): void {
  zero.nowMs = nativeNow();
  zero.uptimeS = nativeUptime();
  zero.timeOriginMs = Date.now();
}

/** The same span with its end named, as Node would take the end from its own clock. */
function measureOptions(start: string | MeasureOptions | undefined, end: string | undefined): MeasureOptions {
  if (typeof start !== 'object') return { ...(start === undefined ? {} : { start }), end: end ?? now() };
  return start.end === undefined && start.duration === undefined ? { ...start, end: now() } : start;
}

function define(name: string, value: unknown): void {
  Object.defineProperty(performance, name, { value, configurable: true, enumerable: true, writable: true });
}
