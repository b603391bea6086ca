import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { configOf } from './fakes/fake-services.ts';
import { startGateway, type TestGateway, TOKEN } from './fakes/test-gateway.ts';

const authorization = `Bearer ${TOKEN}`;
const CANARY = 'canary-value';

async function ask(hob: TestGateway, method: string, path: string, body?: unknown) {
  const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await fetch(`${hob.url}/v1/functions/${path}`, init);
  const text = await response.text();
  assert.ok(!text.includes(CANARY), `${method} ${path} shows a value`);
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

test('PUT, GET and DELETE secrets set, list and remove them without a value, and containers are renewed', async () => {
  await using hob = await startGateway();
  assert.equal((await ask(hob, 'PUT', 'hello/secrets/API_KEY', { value: CANARY })).status, 200);
  assert.equal(hob.secrets.values.get('hello/API_KEY'), CANARY);
  assert.deepEqual(hob.control.renewedNames, ['hello']);
  const list = await ask(hob, 'GET', 'hello/secrets');
  assert.deepEqual(
    list.body.map(({ name }: { name: string }) => name),
    ['API_KEY'],
  );
  assert.equal((await ask(hob, 'DELETE', 'hello/secrets/API_KEY')).status, 204);
  assert.deepEqual(hob.control.renewedNames, ['hello', 'hello']);
  assert.equal((await ask(hob, 'DELETE', 'hello/secrets/API_KEY')).body.code, 'ERR_SECRET_NOT_FOUND');
  assert.ok(!JSON.stringify(hob.logged).includes(CANARY));
});

test('PUT secrets takes secrets of functions that do not exist yet, and refuses bad requests', async () => {
  await using hob = await startGateway();
  assert.equal((await ask(hob, 'PUT', 'later/secrets/A', { value: 'a' })).status, 200);
  for (const body of [{}, { values: CANARY }, [CANARY]]) {
    assert.equal(
      (await ask(hob, 'PUT', 'hello/secrets/A', body)).body.code,
      'ERR_API_BAD_REQUEST',
      JSON.stringify(body),
    );
  }
  assert.equal((await ask(hob, 'PUT', 'No_Name/secrets/A', { value: 'a' })).body.code, 'ERR_FN_NOT_FOUND');
});

test('DELETE secrets refuses one that a version in service names; removing the function removes all', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('keen', { secrets: ['A'] }));
  await ask(hob, 'PUT', 'keen/secrets/A', { value: CANARY });
  const refused = await ask(hob, 'DELETE', 'keen/secrets/A');
  assert.deepEqual([refused.status, refused.body.code], [409, 'ERR_SECRET_IN_USE']);
  assert.match(refused.body.detail, /keen@1/);
  assert.equal((await ask(hob, 'DELETE', 'keen')).status, 204);
  assert.equal(hob.secrets.values.size, 0);
  await ask(hob, 'PUT', 'never/secrets/A', { value: CANARY });
  assert.equal((await ask(hob, 'DELETE', 'never')).status, 404);
  assert.equal(hob.secrets.values.size, 0, 'also those of a function that there never was');
});

test('POST secret-key/rotate tells what was done, needs the token, and renews no container', async () => {
  await using hob = await startGateway();
  await ask(hob, 'PUT', 'hello/secrets/A', { value: CANARY });
  const rotate = (headers: Record<string, string>) =>
    fetch(`${hob.url}/v1/secret-key/rotate`, { method: 'POST', headers });
  assert.equal((await rotate({})).status, 401);
  const answer = await rotate({ authorization });
  assert.deepEqual([answer.status, await answer.json()], [200, { key: 'new', former: 'old', secrets: 1 }]);
  assert.deepEqual(hob.control.renewedNames, ['hello'], 'but for the secret that was set');
});

test('POST versions names the secrets that are not set, and makes nothing', async () => {
  await using hob = await startGateway();
  const content = 'export default 1;';
  const sha256 = createHash('sha256').update(content).digest('hex');
  const manifest = { files: [{ path: 'index.mjs', bytes: content.length, sha256 }] };
  const deploy = async () => {
    const form = new FormData();
    form.set('deploy', JSON.stringify({ config: configOf('fresh', { secrets: ['A', 'B'] }), manifest }));
    form.append('file', new Blob([content]), 'index.mjs');
    const init = { method: 'POST', body: form, headers: { authorization } };
    const response = await fetch(`${hob.url}/v1/functions/fresh/versions`, init);
    return { status: response.status, body: (await response.json()) as { code: string; detail: string } };
  };
  await ask(hob, 'PUT', 'fresh/secrets/A', { value: CANARY });
  const { status, body } = await deploy();
  assert.deepEqual([status, body.code], [409, 'ERR_SECRET_MISSING']);
  assert.match(body.detail, /not set: B$/);
  assert.throws(() => hob.directory.resolve('fresh', 1), { code: 'ERR_FN_NOT_FOUND' });
  await ask(hob, 'PUT', 'fresh/secrets/B', { value: CANARY });
  assert.equal((await deploy()).status, 201);
});
