import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../support/until.ts';
import { FreshCalls } from './fresh-calls.ts';

const MIN = 1;
const MAX = 6;

test('the pool grows with the calls that need a container, falls back to its min after them, and nothing is left', async () => {
  const settings = { HOB_POOL_MIN: `${MIN}`, HOB_POOL_MAX: `${MAX}`, HOB_POOL_WINDOW_MS: '5000' };
  await using load = await FreshCalls.create(settings);
  await load.call(); // opens what is opened at first use
  const before = await load.atRest(MIN);
  assert.equal((await load.reading()).target, MIN);
  const burst = Promise.all(Array.from({ length: 3 * MAX }, () => load.call()));
  await until('the pool is to be as large as it may', async () => (await load.reading()).target === MAX);
  await burst;
  await until('the pool is as small as before, and nothing else is left', async () => {
    const after = await load.atRest(MIN);
    return isDeepStrictEqual({ ...after, descriptors: 0 }, { ...before, descriptors: 0 });
  });
  assert.deepEqual(
    load.calls.filter(({ start }) => start !== 'pool' && start !== 'cold'),
    [],
  );
});
