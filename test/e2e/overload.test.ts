import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpenLoop } from '../load/open-loop.ts';
import { type FunctionSettings, writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { settledCensus } from '../support/settled-census.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

const FLOOD_S = 4;
/** More would be too much of a burst for a slow host. */
const FACTOR = 2;
const CALL_MS = 20;
const CONTAINERS = 2;
/** A host that is slower serves less. */
const CAPACITY_MAX = (1000 * CONTAINERS) / CALL_MS;
const pool = { HOB_POOL_MIN: '2', HOB_POOL_MAX: '2' };
const source = `import { setTimeout as delay } from 'node:timers/promises';
export default async (): Promise<Response> => {
  await delay(${CALL_MS});
  return new Response('done');
};
`;
const subjects: readonly FunctionSettings[] = [
  { name: 'warm', memoryMb: 128, maxContainers: CONTAINERS },
  { name: 'fresh', memoryMb: 128, maxContainers: CONTAINERS, reuse: 'never' },
];

for (const settings of subjects) {
  const { name } = settings;
  test(`Of a flood of calls to a ${name} container what is too much is refused at once with retry-after, and none waits for nothing`, async () => {
    await using folder = await TemporaryFolder.create('overload');
    await using hob = await HobServer.create({
      env: { ...pool, HOB_KEEP_ALIVE_MS: '100', HOB_QUEUE_TARGET_MS: '100' },
    });
    await hob.deploy(await writeFunction(join(folder.path, name), settings, source));
    await using loop = new OpenLoop(hob.url, `/fn/${name}`, 1024);
    assert.equal((await loop.call()).status, 200);
    const before = await settledCensus(hob);
    const { calls } = await loop.flood(FACTOR * CAPACITY_MAX, FLOOD_S);
    const answers = Map.groupBy(await Promise.all(calls), ({ status }) => status);
    assert.deepEqual(new Set(answers.keys()), new Set([200, 429]));
    const [served = [], refused = []] = [answers.get(200), answers.get(429)];
    assert.ok(refused.length > calls.length / 4, `${refused.length} refused, ${served.length} served`);
    assert.ok(refused.every(({ retryAfter }) => retryAfter === '1'));
    const metrics = (await (await fetch(`${hob.url}/metrics`)).text())
      .split('\n')
      .filter((line) => line.includes('ERR_'));
    assert.ok(metrics.some((line) => line.includes('ERR_SCHED_QUEUE_FULL')));
    assert.deepEqual(
      metrics.filter((line) => line.includes('ERR_SCHED_QUEUE_TIMEOUT')),
      [],
    );
    assert.equal((await hob.fn(name)).status, 200);
    const after = await settledCensus(hob);
    assert.deepEqual({ ...after, descriptors: 0 }, { ...before, descriptors: 0 });
  });
}
