import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { call } from '../support/http-call.ts';
import { HobServer } from '../support/hob-server.ts';
import { receiptOf } from '../support/receipt.ts';
import { settledCensus } from '../support/settled-census.ts';
import { until } from '../support/until.ts';

const EVERY_MS = 1000;
/** So many idle times are learned from. */
const LEARNED = 10;
/** Minutes as parts of a second: what is learned is learned in steps of 200 ms. */
const scaledDown = {
  HOB_KEEP_ALIVE_MS: '200',
  HOB_KEEP_ALIVE_MAX_MS: '48000',
  HOB_FREEZE_AFTER_MS: '100',
  HOB_POOL_MIN: '1',
  HOB_POOL_MAX: '1',
};

/** Calls a function. @returns where its container came from, and whether no call had come to it before. */
async function calledOnce(hob: HobServer): Promise<{ readonly start: unknown; readonly isFirst: boolean }> {
  const answer = await hob.fn('fresh');
  assert.equal(answer.status, 200);
  const { calls } = JSON.parse(answer.body.toString()) as { readonly calls: number };
  return { start: receiptOf(answer)['start'], isFirst: calls === 1 };
}

const metricsOf = async (hob: HobServer): Promise<string> => (await call(`${hob.url}/metrics`)).body.toString();

test('a function that is called at an interval longer than HOB_KEEP_ALIVE_MS is loaded when its next call comes', async () => {
  await using hob = await HobServer.create({ env: scaledDown });
  await hob.deploy(join(import.meta.dirname, '../functions/fresh'));
  const before = await settledCensus(hob);
  for (let count = 0; count <= LEARNED; count += 1) {
    const { start } = await calledOnce(hob);
    assert.notEqual(start, 'warm', 'nothing is known yet');
    await delay(EVERY_MS);
  }
  // The clock of a busy host is not exact enough for each single one.
  await until('a call finds a container that has had none before, and the metrics tell the window', async () => {
    const { start, isFirst } = await calledOnce(hob);
    const isTold = /^hob_keep_alive_seconds\{function="fresh",of="preload"\} 0\.[1-9]/m.test(await metricsOf(hob));
    await delay(EVERY_MS);
    return start === 'warm' && isFirst && isTold;
  });
  assert.match(await metricsOf(hob), /^hob_preloads_total\{function="fresh",outcome="useful"\} [1-9]/m);

  const after = await settledCensus(hob);
  assert.match(await metricsOf(hob), /^hob_preloads_total\{function="fresh",outcome="wasted"\} [1-9]/m);
  assert.deepEqual(
    { ...after, descriptors: 0 },
    { ...before, descriptors: 0 },
    'without calls it goes, and nothing is left',
  );
});

test('with HOB_KEEP_ALIVE_POLICY=fixed none of its calls finds a loaded container', async () => {
  await using hob = await HobServer.create({ env: { ...scaledDown, HOB_KEEP_ALIVE_POLICY: 'fixed' } });
  await hob.deploy(join(import.meta.dirname, '../functions/fresh'));
  // What the deploy has loaded goes first.
  await settledCensus(hob);
  for (let count = 0; count < LEARNED + 4; count += 1) {
    assert.notEqual((await calledOnce(hob)).start, 'warm');
    await delay(EVERY_MS);
  }
  assert.doesNotMatch(await metricsOf(hob), /^hob_preloads_total\{/m);
});
