import type { HobServer } from './hob-server.ts';
import { type HostCensus, takeCensus } from './host-census.ts';
import { until } from './until.ts';

interface Stats {
  readonly pools: readonly { readonly creating: number; readonly parked: number; readonly min: number }[];
  readonly functions: readonly { readonly loading: number; readonly idle: number; readonly busy: number }[];
}

/** Waits until only parked containers are left, as many as the pools keep, and looks then. */
export async function settledCensus(hob: HobServer): Promise<HostCensus> {
  let seen: { stats?: Stats; census?: HostCensus } = {};
  const what = () => `only parked containers are left, as many as the pools keep; there are ${JSON.stringify(seen)}`;
  return until(what, async () => {
    const stats = (await hob.control('stats')) as Stats;
    const census = takeCensus(hob.pid);
    seen = { stats, census };
    const used = stats.functions.some(({ loading, idle, busy }) => loading + idle + busy > 0);
    const atRest = stats.pools.every(({ creating, parked, min }) => creating === 0 && parked === min);
    // Containers are out of the scheduler's books before the last of them is gone from the host.
    const parked = stats.pools.reduce((sum, pool) => sum + pool.parked, 0);
    const perTree = census.cgroups.filter((name) => name === 'c').length / cgroupTreesOf(census);
    const processes = census.processes.filter((name) => name === 'node').length;
    return !used && atRest && perTree === parked && processes === parked && census;
  });
}

/** In how many hierarchies the server has cgroups: its zygote of 128 MB is in each. */
function cgroupTreesOf(census: HostCensus): number {
  return census.cgroups.filter((name) => name === 'zygote-128').length;
}
