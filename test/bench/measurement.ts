/** Median and 99th percentile of one subject's samples. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** One of those that are compared with hob. A peer that this host cannot run says why, and has no numbers. */
export type Peer = { readonly name: string } & (Quantiles | { readonly missing: string });

/** What is measured of hob and of its peers. */
export interface Measurement {
  readonly name: string;
  readonly unit: 'ms' | 'requests/s' | 'containers/s' | 'MB';
  readonly better: 'lower' | 'higher';
  readonly hob: Quantiles;
  /** None for a part of what another measurement compares. */
  readonly peers: readonly Peer[];
  /** How they were measured: settings and numbers of samples. */
  readonly how: string;
}

/** What the JSON file holds for each. */
export interface MeasurementRecord extends Omit<Measurement, 'peers'> {
  /** With how many times better hob's median is: below 1 the peer is better. Absent when the peer is missing. */
  readonly peers: readonly (Peer & { readonly ratio?: number })[];
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

/** How many times better hob's median is than a peer's; undefined when the peer is missing. */
export function ratio({ better, hob }: Pick<Measurement, 'better' | 'hob'>, peer: Peer): number | undefined {
  if ('missing' in peer) return undefined;
  return better === 'lower' ? peer.p50 / hob.p50 : hob.p50 / peer.p50;
}

/** As the JSON file has it: its numbers to the microsecond or its like. */
export function toRecord(measurement: Measurement): MeasurementRecord {
  const peers = measurement.peers.map((peer) => {
    if ('missing' in peer) return peer;
    return { name: peer.name, ...roundQuantiles(peer), ratio: round(ratio(measurement, peer) ?? 0) };
  });
  return { ...measurement, hob: roundQuantiles(measurement.hob), peers };
}

function roundQuantiles({ p50, p99 }: Quantiles): Quantiles {
  return { p50: round(p50), p99: round(p99) };
}

function round(value: number): number {
  return Number(value.toFixed(3));
}
