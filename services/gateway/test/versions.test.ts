import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { fail } from '@hob/contracts';
import { configOf } from './fakes/fake-services.ts';
import { startGateway, type TestGateway, TOKEN } from './fakes/test-gateway.ts';

const authorization = `Bearer ${TOKEN}`;

async function ask(hob: TestGateway, method: string, path: string, body?: unknown) {
  const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await fetch(`${hob.url}/v1/functions/${path}`, init);
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function deploy(hob: TestGateway, query = '') {
  const content = 'export default 1;';
  const sha256 = createHash('sha256').update(content).digest('hex');
  const manifest = { files: [{ path: 'index.mjs', bytes: content.length, sha256 }] };
  const form = new FormData();
  form.set('deploy', JSON.stringify({ config: configOf('hello'), manifest }));
  form.append('file', new Blob([content]), 'index.mjs');
  const url = `${hob.url}/v1/functions/hello/versions${query}`;
  const response = await fetch(url, { method: 'POST', body: form, headers: { authorization } });
  const body = (await response.json()) as { version: number; code: string; failure: unknown; detail: string };
  return { status: response.status, body };
}

const liveNow = (hob: TestGateway): number | undefined => hob.directory.describe('hello').summary.live?.version;

test('POST versions makes a version live only once a container of it has loaded', async () => {
  await using hob = await startGateway();
  assert.equal((await deploy(hob)).status, 201);
  assert.deepEqual(
    hob.control.proven.map(({ version }) => version),
    [2],
  );
  assert.equal(liveNow(hob), 2);
});

test('POST versions of what cannot be loaded tells what it threw, and the former version stays live', async () => {
  await using hob = await startGateway();
  const failure = { name: 'TypeError', message: 'no', stack: 'TypeError: no\n    at index.ts:1:1' };
  hob.control.startFailure = { error: fail('ERR_FN_LOAD_FAILED', ['TypeError', 'no']), failure };
  const { status, body } = await deploy(hob);
  assert.deepEqual([status, body.code, body.failure], [422, 'ERR_FN_NOT_PROVEN', failure]);
  assert.match(body.detail, /^hello@2 is not made live.*TypeError: no/);
  assert.equal(liveNow(hob), 1);
  assert.deepEqual(hob.directory.settled, ['hello@2']);
  assert.ok(hob.control.replacedVersions.every(({ version }) => version === 1));
  hob.control.startFailure = { error: fail('ERR_SCHED_QUEUE_TIMEOUT', [10]), failure: undefined };
  assert.equal((await deploy(hob)).status, 429, 'without room nothing is known of it');
  assert.equal(liveNow(hob), 1);
});

test('POST versions?live=false only makes the version', async () => {
  await using hob = await startGateway();
  const { status, body } = await deploy(hob, '?live=false');
  assert.deepEqual([status, body.version], [201, 2]);
  assert.equal(hob.control.proven.length, 0);
  assert.equal(liveNow(hob), 1);
  assert.equal((await deploy(hob, '?live=maybe')).body.code, 'ERR_API_BAD_REQUEST');
});

test('PUT, GET and DELETE aliases set, show and remove them, and the scheduler learns what is in service', async () => {
  await using hob = await startGateway();
  await deploy(hob, '?live=false');
  const weights = [
    { version: 1, weight: 95 },
    { version: 2, weight: 5 },
  ];
  const set = await ask(hob, 'PUT', 'hello/aliases/beta', { weights, sticky: 'cookie:session' });
  assert.deepEqual(
    [set.status, set.body.name, set.body.weights, set.body.sticky],
    [200, 'beta', weights, 'cookie:session'],
  );
  assert.deepEqual(
    hob.control.proven.map(({ version }) => version),
    [1, 2],
  );
  const [first, second] = hob.control.successions;
  assert.deepEqual([first, second?.versions], [{ versions: [], share: 0.95 }, []], 'it names none yet');
  assert.deepEqual(
    hob.control.others.at(-1)?.map(({ version }) => version),
    [2],
  );
  await ask(hob, 'PUT', 'hello/aliases/beta', { weights: [{ version: 2 }] });
  assert.deepEqual(hob.control.successions.at(-1), { versions: [1, 2], share: 1 });
  await deploy(hob);
  assert.deepEqual(hob.control.successions.at(-1), { versions: [1], share: 1 }, 'of live');
  const aliases = await ask(hob, 'GET', 'hello/aliases');
  assert.deepEqual(aliases.body.map(({ name }: { name: string }) => name).toSorted(), ['beta', 'live']);
  assert.equal((await ask(hob, 'DELETE', 'hello/aliases/beta')).status, 204);
  assert.deepEqual(hob.control.others.at(-1), []);
  assert.equal((await ask(hob, 'DELETE', 'hello/aliases/beta')).body.code, 'ERR_FN_ALIAS_NOT_FOUND');
  assert.equal((await ask(hob, 'GET', 'nobody/aliases')).status, 404);
});

test('PUT aliases refuses bad bodies, unknown versions and versions that cannot be loaded', async () => {
  await using hob = await startGateway();
  const bad = [{}, { weights: [] }, { weights: [{ version: 0 }] }, { weights: [{ version: 1, weight: 0 }] }];
  const misspelt = { weights: [{ version: 1 }], stick: 'x' };
  for (const body of [...bad, misspelt, { weights: [{ version: 1 }], sticky: 'x' }]) {
    const answer = await ask(hob, 'PUT', 'hello/aliases/beta', body);
    assert.deepEqual([answer.status, answer.body.code], [400, 'ERR_API_BAD_REQUEST'], JSON.stringify(body));
  }
  const unknown = await ask(hob, 'PUT', 'hello/aliases/beta', { weights: [{ version: 9 }] });
  assert.equal(unknown.body.code, 'ERR_FN_VERSION_NOT_FOUND');
  hob.control.startFailure = { error: fail('ERR_FN_OUT_OF_MEMORY', [128]), failure: undefined };
  const unproven = await ask(hob, 'PUT', 'hello/aliases/beta', { weights: [{ version: 1 }] });
  assert.deepEqual([unproven.status, unproven.body.code], [422, 'ERR_FN_NOT_PROVEN']);
  assert.equal((await ask(hob, 'GET', 'hello/aliases')).body.length, 1);
});

test('POST rollback sets live back and tells the scheduler and the schedules', async () => {
  await using hob = await startGateway();
  await deploy(hob);
  const { status, body } = await ask(hob, 'POST', 'hello/rollback');
  assert.deepEqual([status, body.weights], [200, [{ version: 1, weight: 100 }]]);
  assert.equal(hob.control.replacedVersions.at(-1)?.version, 1);
  assert.deepEqual(hob.queue.scheduled, ['hello@2', 'hello@1']);
});

test('GET versions/:version gives the version and its files', async () => {
  await using hob = await startGateway();
  const { body } = await ask(hob, 'GET', 'hello/versions/1');
  assert.deepEqual(body.version, hob.directory.resolve('hello', 1));
  assert.deepEqual(body.files, (await hob.bundles.manifest()).files);
  assert.equal((await ask(hob, 'GET', 'hello/versions/2')).status, 404);
});

test('/fn/<name>@<alias> asks for the alias, with the headers that decide', async () => {
  await using hob = await startGateway();
  await hob.directory.setAlias('hello', 'beta', { weights: [{ version: 1, weight: 1 }] });
  const answer = await fetch(`${hob.url}/fn/hello@beta`, { headers: { 'HOB-Sticky': 'me' } });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('hob-version'), '1');
  const { qualifier, headers } = hob.directory.asked.at(-1) ?? { qualifier: undefined, headers: [] };
  assert.equal(qualifier, 'beta');
  assert.equal(headers[headers.indexOf('hob-sticky') + 1], 'me');
});
