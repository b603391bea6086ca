import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { HobServer } from '../support/hob-server.ts';
import { receiptOf } from '../support/receipt.ts';
import { settledCensus } from '../support/settled-census.ts';

const ROUNDS = 10;

test('reuse "never": no call finds anything of another one, and nothing is left of its container', async () => {
  await using hob = await HobServer.create({ env: { HOB_POOL_MIN: '2', HOB_POOL_MAX: '2' } });
  await hob.deploy('--no-live', join(import.meta.dirname, '../functions/once'));
  const starts = new Set<unknown>();
  const call = async (): Promise<void> => {
    const answer = await hob.fn('once@1');
    assert.equal(answer.status, 200, answer.body.toString());
    assert.deepEqual(JSON.parse(answer.body.toString()), { calls: 1, global: false, file: false });
    starts.add(receiptOf(answer)['start']);
  };
  await call();
  const before = await settledCensus(hob);
  for (let round = 0; round < ROUNDS; round += 1) await Promise.all([call(), call(), call(), call()]);
  assert.deepEqual(starts, new Set(['pool', 'cold']));
  const after = await settledCensus(hob);
  assert.deepEqual({ ...after, descriptors: 0 }, { ...before, descriptors: 0 });
});
