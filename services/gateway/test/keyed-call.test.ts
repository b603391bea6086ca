import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { configOf } from './fakes/fake-services.ts';
import { startGateway, type TestGateway, TOKEN, until } from './fakes/test-gateway.ts';

function post(hob: TestGateway, key: string, more: { body?: string; path?: string; headers?: object } = {}) {
  const headers = { 'idempotency-key': key, ...more.headers };
  return fetch(`${hob.url}/fn/${more.path ?? 'hello'}`, { method: 'POST', headers, body: more.body ?? 'one' });
}
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;
const told = async (response: Response) => [response.status, response.headers.get('x-a'), await response.text()];

test('Calls with one idempotency-key are made once and answered the same', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => setImmediate(() => call.answer(201, ['x-a', 'b'], `made ${call.body.toString()}`));
  const first = await post(hob, 'k');
  const second = await post(hob, 'k');
  assert.equal(second.headers.get('hob-idempotent-replay'), 'true');
  assert.equal(second.headers.get('hob-invocation-id'), first.headers.get('hob-invocation-id'));
  assert.deepEqual(await told(first), [201, 'b', 'made one']);
  assert.deepEqual(await told(second), [201, 'b', 'made one']);
  assert.equal(hob.invoker.calls.length, 1);
  assert.equal(hob.invoker.last.header('idempotency-key'), 'k');
});

test('Another body, path or method under a key is refused; another function, caller or key is another call', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('other'));
  await post(hob, 'k');
  const refused = await post(hob, 'k', { body: 'two' });
  assert.deepEqual([refused.status, await codeOf(refused)], [422, 'ERR_IDEMPOTENCY_KEY_REUSED']);
  assert.equal((await post(hob, 'k', { path: 'hello/x' })).status, 422);
  assert.equal((await post(hob, 'k', { headers: { 'hob-invocation-type': 'async' } })).status, 422);
  assert.equal(hob.invoker.calls.length, 1);
  assert.equal((await post(hob, 'k', { path: 'other' })).status, 200);
  assert.equal((await post(hob, 'k', { headers: { authorization: 'Bearer mine' }, body: 'two' })).status, 200);
  assert.equal((await post(hob, 'k2', { body: 'two' })).status, 200);
  assert.equal(hob.invoker.calls.length, 4);
  for (const bad of ['x'.repeat(256), 'a b']) assert.equal((await post(hob, bad)).status, 400);
});

test('A keyed call goes on when its client goes away, is refused to others meanwhile, and answers who comes back', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = () => undefined;
  const client = new AbortController();
  const headers = { 'idempotency-key': 'k' };
  const gone = fetch(`${hob.url}/fn/hello`, { method: 'POST', headers, body: 'one', signal: client.signal });
  await until(() => hob.invoker.calls.length === 1, 'the call runs');
  const meanwhile = await post(hob, 'k');
  assert.deepEqual([meanwhile.status, await codeOf(meanwhile)], [409, 'ERR_IDEMPOTENCY_IN_PROGRESS']);
  client.abort();
  await assert.rejects(gone);
  hob.invoker.last.answer(200, [], 'late');
  assert.equal(hob.invoker.last.cancelled, undefined);
  assert.equal(await (await post(hob, 'k')).text(), 'late');
});

test('Failures of the function are answers of a key; a lack of room frees it', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = (call) => call.sink.fail(fail('ERR_SCHED_QUEUE_FULL', [1]), undefined);
  assert.equal((await post(hob, 'k')).status, 429);
  hob.invoker.onCall = (call) => call.sink.fail(fail('ERR_FN_THREW', ['Error', 'no']), undefined);
  assert.equal(await codeOf(await post(hob, 'k')), 'ERR_FN_THREW');
  hob.invoker.onCall = (call) => call.answer(200);
  const again = await post(hob, 'k');
  assert.deepEqual([again.status, await codeOf(again)], [502, 'ERR_FN_THREW']);
  hob.invoker.onCall = (call) => call.answer(200, [], 'x'.repeat(1001));
  assert.equal(await codeOf(await post(hob, 'large')), 'ERR_FN_RESPONSE_TOO_LARGE');
});

test('A keyed call of a function that is called at most once is not made again when it was cut, and everybody is told so', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello', { delivery: 'at-most-once' }));
  hob.invoker.onCall = (call) => call.sink.fail(fail('ERR_SCHED_CLOSED', []), undefined);
  for (const replay of [null, 'true']) {
    const cut = await post(hob, 'by the stop of hob'.replaceAll(' ', '-'));
    assert.deepEqual([cut.status, cut.headers.get('hob-idempotent-replay')], [502, replay]);
    assert.equal(await codeOf(cut), 'ERR_FN_INTERRUPTED');
  }
  hob.invoker.onCall = () => undefined;
  void post(hob, 'k').catch(() => undefined);
  await until(() => hob.invoker.calls.length === 2, 'the call runs');
  assert.equal(await codeOf(await post(hob, 'k')), 'ERR_IDEMPOTENCY_IN_PROGRESS');
  for (const [place, { call, response }] of hob.queue.held) {
    if (response === undefined) hob.queue.held.set(place, { call, isAbandoned: true });
  }
  const told = await Promise.all(['first', 'second'].map(() => post(hob, 'k')));
  for (const { headers } of told) {
    assert.equal(headers.get('hob-invocation-id'), hob.invoker.last.request.id);
    assert.equal(headers.get('hob-idempotent-replay'), 'true');
  }
  assert.deepEqual(await Promise.all(told.map(codeOf)), ['ERR_FN_INTERRUPTED', 'ERR_FN_INTERRUPTED']);
  assert.equal(hob.invoker.calls.length, 2);
});

test('A keyed call of a function that is called at most once frees its key when it has not reached the function', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello', { delivery: 'at-most-once' }));
  hob.invoker.onCall = (call) => call.sink.fail(fail('ERR_SCHED_QUEUE_FULL', [1]), undefined);
  assert.equal((await post(hob, 'k')).status, 429);
  hob.invoker.onCall = (call) => call.answer(200, [], 'made');
  assert.equal(await (await post(hob, 'k')).text(), 'made');
});

test('An asynchronous call with a key is queued once, with the same id each time', async () => {
  await using hob = await startGateway();
  const headers = { 'hob-invocation-type': 'async', authorization: `Bearer ${TOKEN}` };
  const first = await post(hob, 'k', { headers });
  const second = await post(hob, 'k', { headers });
  assert.deepEqual([first.status, second.status], [202, 202]);
  const { id } = (await first.json()) as { id: string };
  assert.deepEqual(await second.json(), { id });
  assert.deepEqual(
    hob.queue.events.map((event) => event.id),
    [id],
  );
  hob.queue.held.clear();
  await post(hob, 'k', { headers });
  assert.equal(hob.queue.events[1]?.id, id, 'after a crash in the middle the queue gets the same event');
});

test('An asynchronous call with a key whose hob ended in the middle is accepted at once, as the same event', async () => {
  await using hob = await startGateway();
  const headers = { 'hob-invocation-type': 'async' };
  const { id } = (await (await post(hob, 'k', { headers })).json()) as { id: string };
  for (const [place, { call }] of hob.queue.held) hob.queue.held.set(place, { call });
  const again = await post(hob, 'k', { headers });
  assert.deepEqual([again.status, await again.json()], [202, { id }]);
  assert.equal(again.headers.get('hob-idempotent-replay'), null);
});

test('A keyed call that was not held long enough is answered as the one that was answered before it', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = () => undefined;
  const slow = post(hob, 'k');
  await until(() => hob.invoker.calls.length === 1, 'the call runs');
  hob.queue.held.clear();
  const [stalled] = hob.invoker.calls;
  hob.invoker.onCall = (call) => call.answer(200, [], 'first');
  assert.equal(await (await post(hob, 'k')).text(), 'first');
  stalled?.answer(200, [], 'second');
  const answer = await slow;
  assert.deepEqual([answer.headers.get('hob-idempotent-replay'), await answer.text()], ['true', 'first']);
});

test('A keyed call is not made while Redis is away', async () => {
  await using hob = await startGateway();
  hob.queue.failure = fail('ERR_QUEUE_UNAVAILABLE', ['it is away']);
  assert.equal((await post(hob, 'k')).status, 503);
  assert.equal(hob.invoker.calls.length, 0);
});

test('A call of an alias is the same call when the alias has moved meanwhile', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello'));
  await hob.directory.setAlias('hello', 'beta', { weights: [{ version: 1, weight: 100 }] });
  const async = { 'hob-invocation-type': 'async' };
  for (const headers of [{}, async]) {
    const key = `k-${Object.keys(headers).length}`;
    const first = await post(hob, key, { path: 'hello@beta', headers });
    await hob.directory.setAlias('hello', 'beta', { weights: [{ version: 2, weight: 100 }] });
    const again = await post(hob, key, { path: 'hello@beta', headers });
    assert.deepEqual([again.status, again.headers.get('hob-idempotent-replay')], [first.status, 'true']);
    assert.equal((await post(hob, key, { path: 'hello@2', headers })).status, 422);
    await hob.directory.setAlias('hello', 'beta', { weights: [{ version: 1, weight: 100 }] });
  }
  assert.deepEqual(
    hob.queue.events.map(({ version }) => version),
    [1],
    'an event gets what the alias was when it was accepted',
  );
});
