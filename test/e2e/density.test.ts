import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Crowd } from '../load/crowd.ts';

const FUNCTIONS = 12;
const EACH = 8;
const QUARTER = FUNCTIONS / 4;
/** hob's own CPU time for a container, of the last quarter to the first: chance, and what the just-in-time compiler saves, allowed for. */
const SLOPE_MAX = 2;

test('A hundred warm containers each answer, and the last ones cost hob no more than the first ones', async () => {
  await using crowd = await Crowd.create({ functions: FUNCTIONS, each: EACH });
  const ids = new Set<string>();
  const costs: number[] = [];
  for (let at = 0; at < FUNCTIONS; at += 1) {
    const beforeMs = crowd.ownCpuMs();
    for (const id of await crowd.callAll(at)) ids.add(id);
    costs.push(crowd.ownCpuMs() - beforeMs);
  }
  assert.equal(ids.size, FUNCTIONS * EACH, [...ids].join(' '));
  assert.deepEqual(
    [...ids].filter((id) => !id.startsWith('200 ')),
    [],
  );
  assert.equal(crowd.containers().length, FUNCTIONS * EACH);
  const again = await crowd.callTogether(Array.from({ length: FUNCTIONS }, (_, at) => at));
  assert.deepEqual(new Set(again.map(({ id }) => id)), ids, 'all of them are warm, and alive');
  const sum = (of: readonly number[]): number => of.reduce((all, each) => all + each, 0);
  // The very first one waited for the zygote to boot.
  const [first, last] = [sum(costs.slice(1, 1 + QUARTER)), sum(costs.slice(-QUARTER))];
  assert.ok(last <= SLOPE_MAX * first, `${last} ms, ${first} ms before`);
});
