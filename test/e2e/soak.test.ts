import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'undici';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { type HostCensus, takeCensus } from '../support/host-census.ts';
import { until } from '../support/until.ts';

const CALLS = 10_000;
const CONNECTIONS = 32;

interface Stats {
  readonly pools: readonly { readonly creating: number; readonly parked: number; readonly min: number }[];
  readonly functions: readonly { readonly loading: number; readonly idle: number; readonly busy: number }[];
}

/** Waits until only parked containers are left, as many as the pools keep, and looks then. */
async function settledCensus(hob: HobServer): Promise<HostCensus> {
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

async function callMany(url: string, calls: number): Promise<Map<string, number>> {
  const pool = new Pool(url, { connections: CONNECTIONS });
  const outcomes = new Map<string, number>();
  let next = 0;
  const loop = async (): Promise<void> => {
    for (let number = next++; number < calls; number = next++) {
      const body = JSON.stringify({ name: `caller ${number}` });
      const answer = await pool.request({ method: 'POST', path: '/fn/hello', body });
      const right = (await answer.body.text()).includes(`"Hello, caller ${number}!"`);
      const outcome = `${answer.statusCode} ${right ? 'right' : 'wrong'}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, loop));
  await pool.close();
  return outcomes;
}

test(`hob serve answers ${CALLS} calls at ${CONNECTIONS} connections, each rightly, and holds no more after than before`, async () => {
  await using hob = await HobServer.create({ env: { HOB_KEEP_ALIVE_MS: '500', HOB_POOL_WINDOW_MS: '2000' } });
  await hob.deploy(exampleFolder('hello'));
  // What is opened at first use and kept (the log store's connection and so on) is open from here on.
  await callMany(hob.url, 4 * CONNECTIONS);
  const before = await settledCensus(hob);
  const outcomes = await callMany(hob.url, CALLS);
  assert.deepEqual(Object.fromEntries(outcomes), { '200 right': CALLS });
  const after = await settledCensus(hob);
  assert.deepEqual({ ...after, descriptors: 0 }, { ...before, descriptors: 0 });
  await until(
    'descriptors of closed connections are closed',
    () => takeCensus(hob.pid).descriptors <= before.descriptors,
  );
});
