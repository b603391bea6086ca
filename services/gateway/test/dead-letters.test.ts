import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeadLetter } from '@hob/contracts';
import { startGateway, type TestGateway, TOKEN } from './fakes/test-gateway.ts';

const letter: DeadLetter = {
  id: 'one',
  function: 'hello',
  status: 'dead',
  attempts: 3,
  maxAttempts: 3,
  createdAt: '2026-01-01T00:00:00.000Z',
  error: { code: 'ERR_FN_TIMEOUT', message: 'no' },
  request: { method: 'GET', url: 'http://x/', headers: [], body: '', encoding: 'utf8', bodyBytes: 0 },
};

async function ask(hob: TestGateway, path: string, body?: unknown): Promise<unknown> {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
  return (await fetch(`${hob.url}/v1/dead-letters${path}`, init)).json();
}

test('/v1/dead-letters lists dead letters and gives one', async () => {
  await using hob = await startGateway();
  hob.queue.letters.set('one', letter).set('two', { ...letter, id: 'two', function: 'other' });
  assert.deepEqual(await ask(hob, '?function=hello'), { total: 2, letters: [letter] });
  assert.deepEqual(await ask(hob, '/one'), letter);
  assert.equal(((await ask(hob, '/three')) as { code: string }).code, 'ERR_DEAD_LETTER_NOT_FOUND');
});

test('/v1/dead-letters/redrive and purge need to be told which, in one way', async () => {
  await using hob = await startGateway();
  assert.deepEqual(await ask(hob, '/redrive', { ids: ['one'] }), { count: 1 });
  assert.deepEqual(await ask(hob, '/purge', { all: true }), { count: 2 });
  assert.deepEqual(await ask(hob, '/purge', { function: 'hello' }), { count: 3 });
  assert.deepEqual(hob.queue.done, [
    ['redrive', { ids: ['one'], function: undefined }],
    ['purge', { ids: undefined, function: undefined }],
    ['purge', { ids: undefined, function: 'hello' }],
  ]);
  for (const wrong of [{}, { ids: ['one'], all: true }, { ids: [] }, { every: true }]) {
    assert.equal(((await ask(hob, '/purge', wrong)) as { code: string }).code, 'ERR_API_BAD_REQUEST');
  }
  assert.equal(hob.queue.done.length, 3);
});
