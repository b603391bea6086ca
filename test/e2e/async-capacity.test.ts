import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { InvocationRecord } from '@hob/contracts';
import { exampleFolder } from '../support/example.ts';
import { HobServer, repository } from '../support/hob-server.ts';
import { until } from '../support/until.ts';

const EVENTS = 600;
/** How much slower the median of a short synchronous call may be while a backlog of computing drains. */
const RATIO_MAX = 6;

async function medianMs(hob: HobServer, goOn: (calls: number) => boolean): Promise<{ median: number; calls: number }> {
  const times: number[] = [];
  while (goOn(times.length)) {
    const before = performance.now();
    const answer = await hob.fn('hello?name=you');
    times.push(performance.now() - before);
    assert.equal(answer.status, 200);
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(times.length / 2)] ?? NaN, calls: times.length };
}

test('Synchronous calls keep their latency while a backlog of asynchronous work drains', async (t) => {
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'), join(repository, 'test/functions/burn'));
  await medianMs(hob, (calls) => calls < 100);
  const quiet = await medianMs(hob, (calls) => calls < 300);
  const headers = { 'hob-invocation-type': 'async' };
  let last = '';
  for (let at = 0; at < EVENTS; at++) {
    const answer = await hob.fn('burn?ms=10', { headers });
    assert.equal(answer.status, 202);
    last = (JSON.parse(answer.body.toString()) as { id: string }).id;
  }
  const statusOf = async () => ((await hob.control(`invocations/${last}`)) as InvocationRecord).status;
  assert.equal(await statusOf(), 'waiting', 'there is a backlog');
  let isDrained = false;
  const drained = until('the backlog is drained', async () => (await statusOf()) === 'succeeded').then(() => {
    isDrained = true;
  });
  const busy = await medianMs(hob, () => !isDrained);
  await drained;
  t.diagnostic(
    `median ${quiet.median.toFixed(2)} ms, beside the backlog ${busy.median.toFixed(2)} ms in ${busy.calls} calls`,
  );
  assert.ok(busy.calls > 100, `${busy.calls} calls beside it`);
  assert.ok(busy.median < quiet.median * RATIO_MAX, `${busy.median} ms, ${quiet.median} ms before`);
});
