/** Median and 99th percentile of one subject's samples. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** The other side of a comparison. A peer that this host cannot run says why, and has no numbers. */
export type Peer = { readonly name: string } & (Quantiles | { readonly missing: string });

/** One row of the table. */
export interface Measurement {
  readonly name: string;
  readonly unit: 'ms' | 'requests/s' | 'MB';
  readonly better: 'lower' | 'higher';
  readonly hob: Quantiles;
  /** Absent for a part of what another row compares. */
  readonly peer?: Peer;
  /** How the two were measured: settings and numbers of samples. */
  readonly how: string;
}

/** What the JSON file holds for each row. */
export interface MeasurementRecord extends Measurement {
  /** How many times better hob's median is: below 1 the peer is better. Absent when the peer is missing. */
  readonly ratio?: number;
}

/**
 * The value below which a share of the samples lies, by the nearest rank: always one of the samples.
 *
 * @param share more than 0, at most 1.
 * @throws RangeError when there is no sample.
 */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}

/** @param better for throughput the bad end is the low one, so that is what p99 means there. */
export function quantiles(samples: readonly number[], better: Measurement['better'] = 'lower'): Quantiles {
  return { p50: quantile(samples, 0.5), p99: quantile(samples, better === 'lower' ? 0.99 : 0.01) };
}

/** How many times better hob's median is than the peer's; undefined when the peer is missing. */
export function ratio({ better, hob, peer }: Measurement): number | undefined {
  if (peer === undefined || 'missing' in peer) return undefined;
  return better === 'lower' ? peer.p50 / hob.p50 : hob.p50 / peer.p50;
}

/** The row as the JSON file has it: its numbers to the microsecond or its like. */
export function toRecord(measurement: Measurement): MeasurementRecord {
  const { hob, peer, ...rest } = measurement;
  const times = ratio(measurement);
  const rounded = {
    ...rest,
    hob: roundQuantiles(hob),
    ...(peer && { peer: 'missing' in peer ? peer : { name: peer.name, ...roundQuantiles(peer) } }),
  };
  return times === undefined ? rounded : { ...rounded, ratio: round(times) };
}

function roundQuantiles({ p50, p99 }: Quantiles): Quantiles {
  return { p50: round(p50), p99: round(p99) };
}

function round(value: number): number {
  return Number(value.toFixed(3));
}
