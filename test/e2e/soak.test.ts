import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'undici';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { takeCensus } from '../support/host-census.ts';
import { settledCensus } from '../support/settled-census.ts';
import { until } from '../support/until.ts';

const CALLS = 10_000;
const CONNECTIONS = 32;

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
  await using hob = await HobServer.create({
    env: { HOB_KEEP_ALIVE_MS: '500', HOB_KEEP_ALIVE_POLICY: 'fixed', HOB_POOL_WINDOW_MS: '2000' },
  });
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
