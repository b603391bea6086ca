import assert from 'node:assert/strict';
import { test } from 'node:test';
import { burst, deployFresh } from '../support/burst.ts';
import { HobServer } from '../support/hob-server.ts';
import { Crowd } from '../load/crowd.ts';
import { settledCensus } from '../support/settled-census.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const FUNCTIONS = 20;
const CALLS_EACH = 10;
const PARKED = 8;

interface Stats {
  readonly pools: readonly { readonly memoryMb: number; readonly parked: number }[];
}

/** How many containers were made so far, whoever they were for. */
async function containersMade(hob: HobServer): Promise<number> {
  const text = await (await fetch(`${hob.url}/metrics`)).text();
  const counts = [...text.matchAll(/^hob_container_create_seconds_count(?:\{.*\})? (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

for (const [name, parked] of [
  ['an empty pool', 0],
  ['a filled pool', PARKED],
] as const) {
  test(`200 first calls of 20 functions at once, on ${name}: all are answered, by no more containers than they need`, async () => {
    await using folder = await TemporaryFolder.create('burst');
    const size = { HOB_POOL_MIN: `${parked}`, HOB_POOL_MAX: `${parked}` };
    const patient = { HOB_KEEP_ALIVE_MS: '3000', HOB_QUEUE_TIMEOUT_MS: '60000' };
    await using hob = await HobServer.create({ env: { ...size, ...patient, HOB_POOL_WARM_MB: '128' } });
    const names = await deployFresh(hob, folder.path, 'burst', FUNCTIONS);
    await until('the pool is filled', async () => {
      const { pools } = (await hob.control('stats')) as Stats;
      return pools.some((pool) => pool.memoryMb === 128 && pool.parked === parked);
    });
    const before = await containersMade(hob);
    const calls = await burst(hob, names, CALLS_EACH);
    assert.deepEqual(
      calls.filter(({ answer }) => answer.status !== 200 || answer.body.toString() !== 'first'),
      [],
    );
    const startsOf = (kind: string): number =>
      calls.filter(({ answer }) => answer.headers['hob-start'] === kind).length;
    const [warm, pool, cold] = ['warm', 'pool', 'cold'].map(startsOf);
    assert.equal((warm ?? 0) + (pool ?? 0) + (cold ?? 0), calls.length);
    // One container may serve all calls of its function before the others of the pool, which were claimed as well, are loaded.
    assert.ok(parked === 0 ? pool === 0 : (pool ?? 0) >= 1, `${pool} parked containers were used of ${parked}`);
    // Parked ones are replaced.
    const made = (await containersMade(hob)) - before + parked;
    assert.ok(made >= FUNCTIONS && made <= calls.length + 2 * parked, `${made} containers`);
    const after = await settledCensus(hob);
    assert.equal(
      after.cgroups.filter((group) => group === 'c').length,
      parked * after.cgroups.filter((group) => group === 'zygote-128').length,
    );
  });
}

test('200 first calls of 20 functions at once that last: each gets a container of its own, and no function waits for all of another one', async () => {
  await using crowd = await Crowd.create({ functions: FUNCTIONS, each: CALLS_EACH });
  const numbers = Array.from({ length: FUNCTIONS }, (_, at) => at);
  const reached = await crowd.callTogether(numbers);
  assert.deepEqual(
    reached.filter(({ id }) => !id.startsWith('200 ')),
    [],
  );
  assert.equal(new Set(reached.map(({ id }) => id)).size, FUNCTIONS * CALLS_EACH);
  assert.equal(crowd.containers().length, FUNCTIONS * CALLS_EACH);
  const order = reached.map(({ at }) => at);
  const [firsts, lasts] = [numbers.map((at) => order.indexOf(at)), numbers.map((at) => order.lastIndexOf(at))];
  assert.ok(Math.max(...firsts) < Math.min(...lasts), order.join(' '));
});
