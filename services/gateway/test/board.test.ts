import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { basicPassword } from '../src/request-headers.ts';
import { rawRequest } from './fakes/raw-client.ts';
import { startGateway, type TestGateway, TOKEN } from './fakes/test-gateway.ts';

const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;
const authorization = basic(`operator:${TOKEN}`);

async function ask(hob: TestGateway, path: string, init: RequestInit = {}) {
  const response = await fetch(hob.url + path, { redirect: 'manual', headers: { authorization }, ...init });
  return { response, text: await response.text() };
}

const codeOf = (text: string): string => (JSON.parse(text) as { code: string }).code;

test('/v1/board/ is shown to who has the token, as a bearer or as the password of HTTP Basic', async () => {
  await using hob = await startGateway();
  for (const given of [authorization, basic(`:${TOKEN}`), `bearer ${TOKEN}`]) {
    const { response, text } = await ask(hob, '/v1/board/queue/events?page=2', { headers: { authorization: given } });
    assert.deepEqual([response.status, text], [200, '<p>/queue/events?page=2'], given);
  }
  assert.equal((await ask(hob, '/v1/board')).response.headers.get('location'), '/v1/board/');
  assert.deepEqual((await ask(hob, '/v1/board/', { method: 'HEAD' })).response.status, 200);
  assert.deepEqual(codeOf((await ask(hob, '/v1/board/none')).text), 'ERR_API_NOT_FOUND');
});

test('/v1/board asks who has no token for one, by HTTP Basic, whatever is asked for', async () => {
  await using hob = await startGateway();
  const wrong = [
    undefined,
    TOKEN,
    basic(TOKEN),
    basic(`${TOKEN}:`),
    basic(`operator:${TOKEN}x`),
    basic('operator:'),
    `Basic operator:${TOKEN}`,
    'Basic',
    'Bearer nope',
  ];
  for (const path of [
    '/v1/board',
    '/v1/board/',
    '/v1/board/api/queues',
    '/v1/board/static/js/main.js',
    '/v1/%62oard/',
  ]) {
    for (const given of wrong) {
      const headers: Record<string, string> = given === undefined ? {} : { authorization: given };
      const { response, text } = await ask(hob, path, { headers });
      assert.deepEqual([response.status, codeOf(text)], [401, 'ERR_AUTH_REQUIRED'], `${path} ${given}`);
      assert.equal(response.headers.get('www-authenticate'), 'Basic realm="hob board", charset="UTF-8"');
    }
  }
  for (const query of [
    `token=${TOKEN}`,
    `access_token=${TOKEN}`,
    `authorization=${encodeURIComponent(authorization)}`,
  ]) {
    assert.equal((await ask(hob, `/v1/board/?${query}`, { headers: {} })).response.status, 401, query);
  }
  assert.deepEqual(hob.queue.boardPaths, []);
});

test('/v1/board changes nothing: what is not GET or HEAD is not there, wherever it comes from and however it is dressed', async () => {
  await using hob = await startGateway();
  const path = '/v1/board/api/queues/events/one/retry';
  const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  const body = { body: '{}', headers: { authorization, ...foreign, 'content-type': 'text/plain' } };
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    const { response, text } = await ask(hob, path, { method, ...body });
    assert.deepEqual([response.status, codeOf(text)], [404, 'ERR_API_NOT_FOUND'], method);
    assert.equal((await ask(hob, path, { method, headers: foreign })).response.status, 401, method);
  }
  const options = await ask(hob, path, { method: 'OPTIONS', headers: { ...foreign } });
  assert.equal(options.response.status, 401);
  assert.equal(options.response.headers.get('access-control-allow-origin'), null);
  assert.deepEqual(hob.queue.boardPaths, []);
  const dressed = { authorization, 'x-http-method-override': 'PUT', 'x-method-override': 'PUT' };
  await ask(hob, `${path}?_method=PUT`, { headers: dressed });
  assert.deepEqual(hob.queue.boardPaths, ['/api/queues/events/one/retry?_method=PUT'], 'a mere look');
});

test('/v1/board is linked to by other sites, and is no part of their pages', async () => {
  await using hob = await startGateway();
  const answers = async (site: string, mode: string) => {
    const headers = { authorization, 'sec-fetch-site': site, 'sec-fetch-mode': mode };
    const text = await rawRequest(
      hob.port,
      `GET /v1/board/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    );
    return text.split(' ')[1];
  };
  assert.equal(await answers('same-origin', 'cors'), '200');
  assert.equal(await answers('none', 'navigate'), '200');
  assert.equal(await answers('cross-site', 'navigate'), '200');
  assert.equal(await answers('cross-site', 'no-cors'), '404');
  assert.equal(await answers('same-site', 'cors'), '404');
});

test('/v1/board has headers that keep its pages to themselves, with errors too', async () => {
  await using hob = await startGateway();
  const page = await ask(hob, '/v1/board/');
  const file = await ask(hob, '/v1/board/static/js/main.js');
  const refused = await ask(hob, '/v1/board/', { headers: {} });
  for (const { response } of [page, file, refused]) {
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; script-src 'self';/);
    assert.match(policy, /frame-ancestors 'none'$/);
    assert.doesNotMatch(policy, /http|script-src[^;]*unsafe/);
    assert.equal(response.headers.get('x-frame-options'), 'DENY');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(response.headers.get('cross-origin-resource-policy'), 'same-origin');
    assert.equal(response.headers.get('access-control-allow-origin'), null);
  }
  const caches = [page, file, refused].map(({ response }) => response.headers.get('cache-control'));
  assert.deepEqual(caches, ['no-store', 'private, max-age=3600', 'no-store']);
});

test('the token as a password opens the board and nothing else, and no function ever sees it', async () => {
  await using hob = await startGateway();
  for (const [method, path] of [
    ['GET', '/v1/functions'],
    ['POST', '/v1/dead-letters/purge'],
    ['POST', '/v1/schedules/hello/nightly/pause'],
    ['GET', '/v1/board/../functions'],
  ] as const) {
    const { response } = await ask(hob, path, { method });
    assert.deepEqual([response.status, response.headers.get('www-authenticate')], [401, 'Bearer realm="hob"'], path);
  }
  await ask(hob, '/fn/hello');
  assert.equal(hob.invoker.last.header('authorization'), undefined);
  await ask(hob, '/fn/hello', { headers: { authorization: basic('somebody:else') } });
  assert.equal(hob.invoker.last.header('authorization'), basic('somebody:else'), 'what is the function’s own, it gets');
});

test('/v1/board leads nowhere else, and refuses what is too large', async () => {
  await using hob = await startGateway();
  const raw = (path: string, given = authorization): Promise<string> =>
    rawRequest(hob.port, `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: ${given}\r\n\r\n`);
  assert.match(await raw('/v1/board/../functions'), /^HTTP\/1\.1 200 /);
  assert.deepEqual(hob.queue.boardPaths, ['/../functions'], 'it is the board that is asked, which has no such page');
  assert.match(await raw('/v1/%62oard/api/queues'), /^HTTP\/1\.1 404 /);
  assert.match(await raw('/v1/board/', basic(`operator:${'x'.repeat(200_000)}`)), /^HTTP\/1\.1 431 /);
  assert.match(await raw('/v1/board/', `Basic ${'='.repeat(5000)}`), /^HTTP\/1\.1 401 /);
  assert.equal(hob.queue.boardPaths.length, 1);
});

test('/v1/board is a problem document with status 503 while Redis is away', async () => {
  await using hob = await startGateway();
  hob.queue.failure = fail('ERR_QUEUE_UNAVAILABLE', ['a test']);
  const { response, text } = await ask(hob, '/v1/board/api/queues');
  assert.deepEqual([response.status, codeOf(text)], [503, 'ERR_QUEUE_UNAVAILABLE']);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
});

test('basicPassword() reads what RFC 7617 says', () => {
  assert.equal(basicPassword(basic('a:b:c')), 'b:c');
  assert.equal(basicPassword(basic(':')), '');
  for (const none of [undefined, '', 'Basic', 'Basic ', 'Basic *', basic('no colon'), `Bearer ${TOKEN}`]) {
    assert.equal(basicPassword(none), undefined, none);
  }
});
