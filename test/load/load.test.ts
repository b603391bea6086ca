import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeCensus } from '../support/host-census.ts';
import { until } from '../support/until.ts';
import { FreshCalls } from './fresh-calls.ts';

const MIN = 1;
const MAX = 6;

test('the pool grows with the calls that need a container, falls back to its min after them, and nothing is left', async () => {
  const settings = { HOB_POOL_MIN: `${MIN}`, HOB_POOL_MAX: `${MAX}`, HOB_POOL_WINDOW_MS: '3000' };
  await using load = await FreshCalls.create(settings);
  await load.call(); // opens what is opened at first use
  await load.atRest(MIN);
  const before = takeCensus(load.hob.pid);
  const targets = [(await load.reading()).target];
  for (let count = 0; count < 3; count++) await load.call();
  targets.push((await load.reading()).target);
  await Promise.all(Array.from({ length: 3 * MAX }, () => load.call()));
  targets.push((await load.reading()).target);
  assert.deepEqual([targets[0], targets[2]], [MIN, MAX]);
  assert.deepEqual(
    targets,
    targets.toSorted((a, b) => a - b),
  );
  await until('the pool is full', async () => (await load.reading()).parked === MAX);
  await load.atRest(MIN);
  assert.deepEqual(
    load.calls.filter(({ start }) => start !== 'pool' && start !== 'cold'),
    [],
  );
  await until('nothing is left', () => {
    const { processes, cgroups, mounts } = takeCensus(load.hob.pid);
    return (
      JSON.stringify([processes, cgroups, mounts]) === JSON.stringify([before.processes, before.cgroups, before.mounts])
    );
  });
});
