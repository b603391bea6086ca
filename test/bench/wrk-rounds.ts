import { type Measurement, type Peer, type Quantiles, quantiles } from './measurement.ts';
import { runWrk, type WrkResult } from './peers/wrk.ts';
import type { MissingPeer } from './peers/container-peers.ts';

/** What is loaded. */
export interface Target {
  readonly name: string;
  readonly url: string;
}

export interface Load {
  /** Path of the load generator. */
  readonly wrk: string;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** Percentiles of single calls within a round; of those, the median over the rounds. */
export function latency(results: readonly WrkResult[]): Quantiles {
  return {
    p50: quantiles(results.map(({ p50Ms }) => p50Ms)).p50,
    p99: quantiles(results.map(({ p99Ms }) => p99Ms)).p50,
  };
}

function throughput(results: readonly WrkResult[]): Quantiles {
  return quantiles(
    results.map(({ requestsPerSecond }) => requestsPerSecond),
    'higher',
  );
}

/** Loads targets in turn, each round beginning with another one, so that none always follows the same. @returns the rounds of each, in their order. */
async function loadInTurn(targets: readonly Target[], load: Load): Promise<WrkResult[][]> {
  const { wrk, connections, rounds, seconds, warmUpSeconds } = load;
  const results = targets.map((): WrkResult[] => []);
  for (const { url } of targets) await runWrk(wrk, url, { connections, seconds: warmUpSeconds });
  for (let round = 0; round < rounds; round += 1) {
    for (const step of targets.keys()) {
      const at = (round + step) % targets.length;
      results[at]?.push(await runWrk(wrk, targets[at]?.url ?? '', { connections, seconds }));
    }
  }
  return results;
}

/** Throughput and latency of hob, which is the first of the targets, and of the others. */
export async function compareByWrk(
  text: { readonly name: string; readonly how: string },
  targets: readonly Target[],
  load: Load,
  missing: readonly MissingPeer[],
): Promise<Measurement[]> {
  const [ours = [], ...theirs] = await loadInTurn(targets, load);
  const peers = (of: (results: readonly WrkResult[]) => Quantiles): Peer[] => [
    ...theirs.map((results, at) => ({ name: targets[at + 1]?.name ?? '', ...of(results) })),
    ...missing,
  ];
  const rounds = `wrk, ${load.rounds} rounds of ${load.seconds} s in turn after ${load.warmUpSeconds} s each`;
  const how = `${rounds}; ${text.how}; p99 of a throughput is the worst round`;
  return [
    {
      name: `${text.name}: throughput`,
      unit: 'requests/s',
      better: 'higher',
      hob: throughput(ours),
      peers: peers(throughput),
      how,
    },
    { name: `${text.name}: latency`, unit: 'ms', better: 'lower', hob: latency(ours), peers: peers(latency), how },
  ];
}
