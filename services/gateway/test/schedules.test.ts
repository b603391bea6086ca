import assert from 'node:assert/strict';
import { test } from 'node:test';
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
