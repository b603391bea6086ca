import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf } from './fakes/fake-services.ts';
import { startGateway, type TestGateway, TOKEN, until } from './fakes/test-gateway.ts';

const authorization = `Bearer ${TOKEN}`;

async function learn(hob: TestGateway, body: unknown, signal?: AbortSignal) {
  const response = await fetch(`${hob.url}/v1/functions/hello/seccomp/learn`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('POST …/seccomp/learn gives the calls to the scheduler as /fn would, and the smallest rules back', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello'));
  hob.control.lesson = {
    systemCalls: ['write', 'socket', 'number 999', 'openat'],
    calls: [
      { status: 200, outcome: 'ok' },
      { status: undefined, outcome: 'ERR_FN_THREW' },
    ],
  };
  const { status, body } = await learn(hob, {
    version: 1,
    calls: [
      { path: '/a?b=%20c', headers: { 'X-Id': '7', authorization, connection: 'x-id', 'x-forwarded-for': '1.2.3.4' } },
      { method: 'PUT', body: 'AAEC', bodyEncoding: 'base64' },
    ],
  });
  assert.equal(status, 200);
  assert.deepEqual(body, {
    function: 'hello',
    version: 1,
    seccomp: { allow: ['openat', 'socket'] },
    calls: [{ status: 200, outcome: 'ok' }, { outcome: 'ERR_FN_THREW' }],
  });
  const [lesson] = hob.control.lessons;
  assert.equal(lesson?.version.version, 1);
  const [first, second] = lesson.calls;
  const host = new URL(hob.url).host;
  assert.equal(first?.request.method, 'GET');
  assert.equal(first.request.url, `${hob.url}/a?b=%20c`);
  assert.deepEqual(first.request.headers, [
    ...['host', host, 'x-forwarded-for', '127.0.0.1', 'x-forwarded-proto', 'http'],
    ...['x-forwarded-host', host, 'x-forwarded-prefix', '/fn/hello'],
  ]);
  assert.deepEqual([first.request.hasBody, first.body], [false, undefined]);
  assert.equal(second?.request.method, 'PUT');
  assert.equal(second.request.url, `${hob.url}/`);
  assert.deepEqual(second.body, Buffer.from([0, 1, 2]));
  assert.notEqual(first.request.id, second.request.id);
});

test('POST …/seccomp/learn takes the live version, and makes a POST of a body', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello'));
  await learn(hob, { calls: [{ body: '{}' }, { method: 'GET', body: 'no GET has one' }] });
  const [lesson] = hob.control.lessons;
  assert.equal(lesson?.version.version, 2);
  const [post, get] = lesson.calls;
  assert.deepEqual([post?.request.method, post?.request.hasBody, String(post?.body)], ['POST', true, '{}']);
  assert.deepEqual([get?.request.method, get?.request.hasBody, get?.body], ['GET', false, undefined]);
});

test('POST …/seccomp/learn refuses what is no list of calls, and unknown versions', async () => {
  await using hob = await startGateway();
  for (const body of [
    {},
    { calls: [] },
    { calls: Array.from({ length: 101 }, () => ({})) },
    { calls: [{ path: 'no-slash' }] },
    { calls: [{ path: '/a b' }] },
    { calls: [{ method: 'TRACE' }] },
    { calls: [{ method: 'get' }] },
    { calls: [{ headers: { 'a b': 'c' } }] },
    { calls: [{ headers: { a: {} } }] },
    { calls: [{ bodyEncoding: 'hex' }] },
    { calls: [{ what: 'else' }] },
    { calls: [{}], more: 1 },
    { calls: [{}], version: 0 },
  ]) {
    const answer = await learn(hob, body);
    assert.deepEqual([answer.status, answer.body['code']], [400, 'ERR_API_BAD_REQUEST'], JSON.stringify(body));
  }
  const unknown = await learn(hob, { calls: [{}], version: 9 });
  assert.deepEqual([unknown.status, unknown.body['code']], [404, 'ERR_FN_VERSION_NOT_FOUND']);
  assert.deepEqual(hob.control.lessons, []);
});

test('POST …/seccomp/learn ends with its client, and when the gateway closes', async () => {
  const hob = await startGateway();
  hob.control.lesson = undefined;
  const client = new AbortController();
  const left = learn(hob, { calls: [{}] }, client.signal);
  await until(() => hob.control.lessons.length === 1, 'the lesson begins');
  client.abort();
  await assert.rejects(left, { name: 'AbortError' });
  await until(() => hob.control.lessonsCut.length === 1, 'the lesson is cut');
  const running = learn(hob, { calls: [{}] });
  await until(() => hob.control.lessons.length === 2, 'the next lesson begins');
  await hob[Symbol.asyncDispose]();
  assert.deepEqual((await running).body['code'], 'ERR_SCHED_CLOSED');
  assert.deepEqual(hob.control.lessonsCut, ['ERR_CANCELLED', 'ERR_SCHED_CLOSED']);
});
