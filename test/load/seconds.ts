import type { FreshCall, PoolReading } from './fresh-calls.ts';

/** What happened in one second of the load test. */
export interface Second {
  readonly second: number;
  /** How many calls began. */
  readonly calls: number;
  /** The part of them that no parked container was there for. */
  readonly coldShare: number;
  readonly waitP99Ms: number;
  readonly tookP99Ms: number;
  /** The largest that was aimed at. */
  readonly target: number;
  /** The fewest that were there. */
  readonly parked: number;
}

/** The whole of a load test. */
export interface LoadRecord {
  readonly calls: readonly FreshCall[];
  readonly readings: readonly PoolReading[];
  readonly startMs: number;
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(0.99 * sorted.length) - 1] ?? 0;
}

/** Second by second, from the beginning to the last reading. A second without a reading has that of the one before. */
export function secondsOf({ calls, readings, startMs }: LoadRecord): Second[] {
  const secondOf = ({ atMs }: { readonly atMs: number }): number => Math.floor((atMs - startMs) / 1000);
  const count = Math.max(0, ...readings.map(secondOf)) + 1;
  const seconds: Second[] = [];
  for (let second = 0; second < count; second++) {
    const of = calls.filter((call) => secondOf(call) === second);
    const read = readings.filter((reading) => secondOf(reading) === second);
    const last = seconds.at(-1);
    seconds.push({
      second,
      calls: of.length,
      coldShare: of.filter(({ start }) => start === 'cold').length / Math.max(of.length, 1),
      waitP99Ms: p99(of.map(({ waitMs }) => waitMs)),
      tookP99Ms: p99(of.map(({ tookMs }) => tookMs)),
      target: read.length === 0 ? (last?.target ?? 0) : Math.max(...read.map(({ target }) => target)),
      parked: read.length === 0 ? (last?.parked ?? 0) : Math.min(...read.map(({ parked }) => parked)),
    });
  }
  return seconds;
}
