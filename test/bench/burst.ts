import { burst, deployFresh } from '../support/burst.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { type Measurement, quantiles } from './measurement.ts';

const ROUNDS = 4;
const FUNCTIONS = 20;
const CALLS_EACH = 10;

interface Stats {
  readonly pools: readonly { readonly creating: number; readonly parked: number; readonly target: number }[];
}

/** Rounds of a burst on functions that nobody has called, each followed by the same calls again. */
async function measure(parked: number): Promise<{ readonly first: number[]; readonly again: number[] }> {
  const size = { HOB_POOL_MIN: `${parked}`, HOB_POOL_MAX: `${parked}` };
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn', ...size } });
  await using folder = await TemporaryFolder.create('burst');
  const [first, again]: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const names = await deployFresh(hob, folder.path, `burst-${round}`, FUNCTIONS);
    await until('the pool is at rest', async () => {
      const { pools } = (await hob.control('stats')) as Stats;
      return pools.every((pool) => pool.creating === 0 && pool.parked >= pool.target);
    });
    for (const samples of [first, again]) {
      const calls = await burst(hob, names, CALLS_EACH);
      const bad = calls.find(({ answer }) => answer.status !== 200);
      if (bad) throw new Error(`${bad.name} answered ${bad.answer.status} ${bad.answer.body.toString()}`);
      // The first round warms up: connections, the zygote, hob's own code.
      if (round > 0) samples.push(...calls.map(({ tookMs }) => tookMs));
    }
    await hob.hob(['rm', ...names]);
  }
  return { first, again };
}

/** A burst of first calls of many functions, against the same burst on the containers that the first one made. */
export async function benchBurst(): Promise<Measurement[]> {
  const rows: Measurement[] = [];
  for (const [name, parked] of [
    ['pool empty', 0],
    ['pool filled', FUNCTIONS],
  ] as const) {
    const { first, again } = await measure(parked);
    rows.push({
      name: `burst of first calls, ${name}`,
      unit: 'ms',
      better: 'lower',
      hob: quantiles(first),
      peers: [{ name: 'hob, the same calls again, warm', ...quantiles(again) }],
      how: `${FUNCTIONS * CALLS_EACH} calls at once to ${FUNCTIONS} functions just deployed, ${parked} containers parked; from the first request to each answer; ${ROUNDS} rounds`,
    });
  }
  return rows;
}
