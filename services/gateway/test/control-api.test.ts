import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogLine } from '@hob/contracts';
import { configOf } from './fakes/fake-services.ts';
import { RawClient } from './fakes/raw-client.ts';
import { startGateway, type TestGateway, TOKEN, until } from './fakes/test-gateway.ts';
import { keepAlive, pool } from './fakes/samples.ts';

const authorization = `Bearer ${TOKEN}`;

async function call(hob: TestGateway, method: string, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(hob.url + path, { method, headers: { authorization } });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

const lineOf = (line: string, functionName = 'hello'): LogLine => ({
  timeMs: 1,
  function: functionName,
  version: 1,
  invocationId: 'i',
  channel: 'stdout',
  line,
});

test('the control API needs a token on every route but its document', async () => {
  await using hob = await startGateway();
  const routes = [
    ['POST', '/v1/functions/hello/versions'],
    ['GET', '/v1/functions'],
    ['GET', '/v1/functions/hello'],
    ['DELETE', '/v1/functions/hello'],
    ['GET', '/v1/functions/hello/versions/1'],
    ['GET', '/v1/functions/hello/aliases'],
    ['PUT', '/v1/functions/hello/aliases/live'],
    ['DELETE', '/v1/functions/hello/aliases/beta'],
    ['POST', '/v1/functions/hello/rollback'],
    ['GET', '/v1/functions/hello/secrets'],
    ['PUT', '/v1/functions/hello/secrets/A'],
    ['DELETE', '/v1/functions/hello/secrets/A'],
    ['GET', '/v1/functions/hello/logs'],
    ['POST', '/v1/functions/hello/seccomp/learn'],
    ['GET', '/v1/stats'],
    ['GET', '/v1/dead-letters'],
    ['GET', '/v1/dead-letters/x'],
    ['POST', '/v1/dead-letters/redrive'],
    ['POST', '/v1/dead-letters/purge'],
    ['GET', '/v1/schedules'],
    ['GET', '/v1/schedules/hello/nightly'],
    ['POST', '/v1/schedules/hello/nightly/run'],
    ['POST', '/v1/schedules/hello/nightly/pause'],
    ['POST', '/v1/schedules/hello/nightly/resume'],
    ['GET', '/v1/invocations/x'],
    ['DELETE', '/v1/invocations/x'],
  ] as const;
  for (const [method, path] of routes) {
    for (const headers of [{}, { authorization: 'Bearer nope' }, { authorization: TOKEN }]) {
      const response = await fetch(hob.url + path, { method, headers });
      assert.equal(response.status, 401, `${method} ${path}`);
      assert.equal(((await response.json()) as { code: string }).code, 'ERR_AUTH_REQUIRED');
      assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="hob"');
    }
  }
  assert.equal(hob.directory.list().length, 1);
  assert.equal((await fetch(`${hob.url}/v1/openapi.json`)).status, 200);
});

test('GET /v1/functions lists functions', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello'));
  const { status, body } = await call(hob, 'GET', '/v1/functions');
  assert.equal(status, 200);
  assert.deepEqual(body, JSON.parse(JSON.stringify(hob.directory.list())));
});

test('GET /v1/functions/:name gives the versions and what the scheduler holds of them', async () => {
  await using hob = await startGateway();
  const numbers = { version: 1, loading: 0, idle: 1, busy: 2, waiting: 3, cpuSeconds: 0.5, memoryBytes: 9, keepAlive };
  const functions = [
    { function: 'hello', ...numbers },
    { function: 'other', ...numbers },
  ];
  hob.control.current = { pools: [], functions, zygotes: [] };
  const { body } = await call(hob, 'GET', '/v1/functions/hello');
  assert.deepEqual(body, { ...hob.directory.describe('hello'), snapshot: functions.slice(0, 1) });
  assert.equal((await call(hob, 'GET', '/v1/functions/nope')).status, 404);
});

test('DELETE /v1/functions/:name removes the function, then its containers', async () => {
  await using hob = await startGateway();
  assert.deepEqual(await call(hob, 'DELETE', '/v1/functions/hello'), { status: 204, body: undefined });
  assert.deepEqual(hob.control.removedNames, ['hello']);
  assert.equal((await call(hob, 'DELETE', '/v1/functions/hello')).status, 404);
  assert.deepEqual(hob.control.removedNames, ['hello']);
});

test('GET /v1/stats gives what the scheduler holds, and the gateway’s own count', async () => {
  await using hob = await startGateway();
  const pools = [pool];
  const zygotes = [{ runtime: 'nodejs24.x', memoryMb: 256, pid: 7, restarts: 0 }];
  hob.control.current = { pools, functions: [], zygotes };
  const { body } = await call(hob, 'GET', '/v1/stats');
  assert.deepEqual(body, { pools, functions: [], zygotes, gateway: { requestsInFlight: 1 } });
});

test('DELETE /v1/invocations/:id cancels a running call', async () => {
  await using hob = await startGateway();
  hob.invoker.onCall = () => undefined;
  const running = fetch(`${hob.url}/fn/hello`);
  await until(() => hob.invoker.calls.length === 1, 'the call runs');
  const { id } = hob.invoker.last.request;
  assert.deepEqual(await call(hob, 'DELETE', `/v1/invocations/${id}`), { status: 202, body: { id } });
  assert.deepEqual(hob.invoker.cancelledIds, [id]);
  assert.equal((await call(hob, 'DELETE', '/v1/invocations/nope')).status, 404);
  hob.invoker.last.answer(200);
  await running;
});

test('GET /v1/functions/:name/logs gives the last lines', async () => {
  await using hob = await startGateway();
  for (let at = 0; at < 150; at++) hob.logs.append(lineOf(`line ${at}`));
  hob.logs.append(lineOf('not mine', 'other'));
  const get = (query: string) => fetch(`${hob.url}/v1/functions/hello/logs${query}`, { headers: { authorization } });
  const linesOf = async (response: Response) =>
    (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text) as LogLine);
  const byDefault = await get('');
  assert.match(byDefault.headers.get('content-type') ?? '', /^application\/x-ndjson/);
  assert.equal((await linesOf(byDefault)).length, 100);
  assert.deepEqual(await linesOf(await get('?tail=2')), [lineOf('line 148'), lineOf('line 149')]);
  assert.equal((await linesOf(await get('?tail=0'))).length, 0);
  for (const query of ['?tail=-1', '?tail=x', '?tail=10001', '?follow=maybe', '?unknown=1']) {
    const refused = await get(query);
    assert.equal(refused.status, query === '?unknown=1' ? 200 : 400, query);
    await refused.text();
  }
  assert.equal((await call(hob, 'GET', '/v1/functions/nope/logs?follow=true')).status, 404);
});

test('GET /v1/functions/:name/logs?follow=true goes on until the client has gone', async () => {
  await using hob = await startGateway();
  hob.logs.append(lineOf('old'));
  const client = await RawClient.open(hob.port);
  client.send(
    `GET /v1/functions/hello/logs?follow=true HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n\r\n`,
  );
  await client.seen('"old"');
  hob.logs.append(lineOf('new'));
  await client.seen('"new"');
  assert.equal(hob.logs.following, 1);
  client.socket.destroy();
  await until(() => hob.logs.following === 0, 'the iteration has ended');
});

test('GET /v1/functions/:name/logs?follow=true sends its head before the first line and ends when hob stops', async () => {
  await using hob = await startGateway();
  const response = await fetch(`${hob.url}/v1/functions/hello/logs?tail=0&follow=true`, { headers: { authorization } });
  assert.equal(response.status, 200);
  const text = response.text();
  const closed = hob.gateway.close();
  assert.equal(await text, '');
  await closed;
  assert.equal(hob.logs.following, 0);
});

test('GET /healthz, /readyz and /schema/hob.json are open', async () => {
  await using hob = await startGateway();
  assert.deepEqual(await (await fetch(`${hob.url}/healthz`)).json(), { status: 'alive' });
  assert.deepEqual(await (await fetch(`${hob.url}/readyz`)).json(), { status: 'ready' });
  hob.notReady = 'Redis does not answer';
  const notReady = await fetch(`${hob.url}/readyz`);
  assert.equal(notReady.status, 503);
  assert.equal(notReady.headers.get('retry-after'), '1');
  assert.deepEqual(await notReady.json(), { status: 'not-ready', reason: 'Redis does not answer' });
  assert.equal((await fetch(`${hob.url}/healthz`)).status, 200);
  const schema = (await (await fetch(`${hob.url}/schema/hob.json`)).json()) as { properties: { name: unknown } };
  assert.ok(schema.properties.name);
});
