import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { startGateway, TOKEN } from './fakes/test-gateway.ts';

const headers = { authorization: `Bearer ${TOKEN}` };

test('GET /v1/schedules lists schedules', async () => {
  await using hob = await startGateway();
  const response = await fetch(`${hob.url}/v1/schedules`, { headers });
  assert.deepEqual(await response.json(), await hob.queue.schedules.list());
});

test('DELETE /v1/functions/:name ends the schedules of the function', async () => {
  await using hob = await startGateway();
  await fetch(`${hob.url}/v1/functions/hello`, { method: 'DELETE', headers });
  assert.deepEqual(hob.queue.scheduled, ['no hello']);
});

test('/v1/schedules/:function/:schedule shows a schedule, makes its call by the live version, pauses and resumes it', async () => {
  await using hob = await startGateway();
  const path = `${hob.url}/v1/schedules/hello/nightly`;
  const { schedules } = hob.queue;
  const shown = await fetch(path, { headers });
  assert.deepEqual(await shown.json(), await schedules.read('hello', 'nightly'));
  assert.equal(shown.headers.get('cache-control'), 'no-store');
  const run = await fetch(`${path}/run`, { method: 'POST', headers });
  assert.deepEqual([run.status, await run.json()], [202, { id: 'the-id' }]);
  assert.deepEqual(hob.queue.scheduled, ['run hello@1/nightly']);
  for (const act of ['pause', 'resume'] as const) {
    const response = await fetch(`${path}/${act}`, { method: 'POST', headers });
    assert.deepEqual([response.status, await response.json()], [200, await schedules[act]('hello', 'nightly')]);
  }
});

test('/v1/schedules/:function/:schedule says what there is none of, and when Redis is away', async () => {
  await using hob = await startGateway();
  const codeOf = async (path: string, method = 'POST') => {
    const response = await fetch(`${hob.url}/v1/schedules/${path}`, { method, headers });
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  for (const path of ['hello/other/run', 'hello/other/pause', 'hello/other/resume', 'hello/nightly%2Fx/pause']) {
    assert.deepEqual(await codeOf(path), [404, 'ERR_SCHEDULE_NOT_FOUND'], path);
  }
  assert.deepEqual(await codeOf('hello/other', 'GET'), [404, 'ERR_SCHEDULE_NOT_FOUND']);
  assert.deepEqual(await codeOf('nope/nightly/run'), [404, 'ERR_FN_NOT_FOUND']);
  assert.deepEqual(await codeOf('hello/nightly/stop'), [404, 'ERR_API_NOT_FOUND']);
  hob.queue.failure = fail('ERR_QUEUE_UNAVAILABLE', ['a test']);
  for (const act of ['run', 'pause', 'resume']) {
    assert.deepEqual(await codeOf(`hello/nightly/${act}`), [503, 'ERR_QUEUE_UNAVAILABLE'], act);
  }
});
