import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, type InvocationRecord } from '@hob/contracts';
import { configOf } from './fakes/fake-services.ts';
import { startGateway, TOKEN, until } from './fakes/test-gateway.ts';

const authorization = `Bearer ${TOKEN}`;
const asynchronous = { 'hob-invocation-type': 'async' };
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

const record: InvocationRecord = {
  id: 'one',
  function: 'hello',
  status: 'running',
  attempts: 1,
  maxAttempts: 3,
  createdAt: '2026-01-01T00:00:00.000Z',
};

test('POST /fn/<name> with hob-invocation-type: async queues the call and answers 202 with its id', async () => {
  await using hob = await startGateway();
  const headers = { ...asynchronous, 'x-one': '1', authorization };
  const response = await fetch(`${hob.url}/fn/hello@1/a?b=c`, { method: 'POST', headers, body: 'text' });
  assert.equal(response.status, 202);
  const { id } = (await response.json()) as { id: string };
  assert.equal(response.headers.get('hob-invocation-id'), id);
  assert.equal(response.headers.get('location'), `/v1/invocations/${id}`);
  const [event] = hob.queue.events;
  assert.deepEqual([event?.id, event?.function, event?.version, event?.method], [id, 'hello', 1, 'POST']);
  assert.equal(event?.url, `${hob.url}/a?b=c`);
  assert.equal(Buffer.from(event.body ?? []).toString(), 'text');
  assert.equal(event.headers[event.headers.indexOf('x-one') + 1], '1');
  for (const name of ['hob-invocation-type', 'authorization']) assert.ok(!event.headers.includes(name), name);
  assert.equal(hob.invoker.calls.length, 0);
});

test('An asynchronous call has the policy of its function, and the live version unless it names one', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('own', { async: { maxAttempts: 9, backoffMs: 5 } }));
  hob.directory.add(configOf('once', { delivery: 'at-most-once' }));
  await fetch(`${hob.url}/fn/own`, { headers: asynchronous });
  await fetch(`${hob.url}/fn/once`, { headers: asynchronous });
  const [event, ofOnce] = hob.queue.events;
  assert.equal(ofOnce?.policy.isOnce, true);
  assert.deepEqual(event?.policy, { maxAttempts: 9, maxAgeMs: 21_600_000, backoffMs: 5, backoffMaxMs: 300_000 });
  assert.equal(event.version, undefined);
  assert.equal(event.body, undefined);
});

test('An asynchronous call that is not accepted is answered with why, and the connection goes on', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('secret', { auth: 'token' }));
  const post = (path: string, more: RequestInit = {}) =>
    fetch(`${hob.url}/fn/${path}`, { method: 'POST', headers: asynchronous, ...more });
  assert.equal(await codeOf(await post('nothing')), 'ERR_FN_NOT_FOUND');
  assert.equal(await codeOf(await post('secret')), 'ERR_AUTH_REQUIRED');
  assert.equal(await codeOf(await post('hello', { body: 'x'.repeat(1001) })), 'ERR_HTTP_BODY_TOO_LARGE');
  const stream = new Blob(['x'.repeat(2000)]).stream();
  const chunked = { body: stream, duplex: 'half' } as RequestInit;
  assert.equal(await codeOf(await post('hello', chunked)), 'ERR_HTTP_BODY_TOO_LARGE');
  const headers = { 'hob-invocation-type': 'later' };
  assert.equal(await codeOf(await post('hello', { headers })), 'ERR_API_BAD_REQUEST');
  assert.equal(hob.queue.events.length, 0);
  hob.queue.failure = fail('ERR_QUEUE_UNAVAILABLE', ['it is away']);
  const away = await post('hello');
  assert.equal(away.status, 503);
  assert.equal(await codeOf(away), 'ERR_QUEUE_UNAVAILABLE');
});

test('GET /v1/invocations/:id gives what the queue knows', async () => {
  await using hob = await startGateway();
  const get = (id: string) => fetch(`${hob.url}/v1/invocations/${id}`, { headers: { authorization } });
  hob.queue.records.set('one', record);
  assert.deepEqual(await (await get('one')).json(), record);
  assert.equal(await codeOf(await get('two')), 'ERR_INVOCATION_NOT_FOUND');
  hob.queue.failure = fail('ERR_QUEUE_UNAVAILABLE', ['it is away']);
  assert.equal((await get('one')).status, 503);
});

test('DELETE /v1/invocations/:id cancels an asynchronous call, and a running one also while Redis is away', async () => {
  await using hob = await startGateway();
  const cancel = (id: string) =>
    fetch(`${hob.url}/v1/invocations/${id}`, { method: 'DELETE', headers: { authorization } });
  hob.queue.records.set('one', record);
  assert.equal((await cancel('one')).status, 202);
  assert.deepEqual(hob.queue.cancelledIds, ['one']);
  hob.queue.failure = fail('ERR_QUEUE_UNAVAILABLE', ['it is away']);
  assert.equal(await codeOf(await cancel('one')), 'ERR_QUEUE_UNAVAILABLE');
  hob.invoker.onCall = () => undefined;
  const running = fetch(`${hob.url}/fn/hello`);
  await until(() => hob.invoker.calls.length === 1, 'the call runs');
  assert.equal((await cancel(hob.invoker.last.request.id)).status, 202);
  hob.invoker.last.answer(200);
  await running;
});
