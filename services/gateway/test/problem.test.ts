import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, type ErrorCode, type ErrorSpec, HobError } from '@hob/contracts';
import { problemHeaders, problemOf } from '../src/problem.ts';
import { startGateway, TOKEN } from './fakes/test-gateway.ts';

const codes = Object.keys(catalogue) as ErrorCode[];

test('/fn gives a problem document for each code of the catalogue', async () => {
  await using hob = await startGateway();
  for (const code of codes) {
    const spec: ErrorSpec = catalogue[code];
    const cause = new Error('the cause: /etc/shadow');
    hob.invoker.onCall = (call) => call.sink.fail(new HobError(code, `message of ${code}`, { cause }), undefined);
    for (const trusted of [false, true]) {
      const headers = trusted ? { authorization: `Bearer ${TOKEN}` } : {};
      const response = await fetch(`${hob.url}/fn/hello`, { headers });
      const id = response.headers.get('hob-invocation-id');
      const text = await response.text();
      const hidden = !trusted && spec.kind === 'platform';
      assert.equal(response.status, spec.http, code);
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
      assert.equal(response.headers.get('retry-after') === '1', spec.http === 429 || spec.http === 503, code);
      assert.deepEqual(JSON.parse(text), {
        type: `urn:hob:error:${code}`,
        title: spec.title,
        status: spec.http,
        detail: hidden ? 'hob failed; its log has the cause' : `message of ${code}`,
        code,
        retry: spec.retry,
        instance: id,
      });
      assert.ok(!text.includes('/etc/') && !text.includes('.ts'));
    }
  }
  const platform = codes.filter((code) => (catalogue[code] as ErrorSpec).kind === 'platform').length;
  assert.equal(
    hob.logged.filter((line) => line['level'] === 50).length,
    2 * platform,
    'each of our failures is logged',
  );
});

test('problemOf() leaves out what is not there', () => {
  const problem = problemOf(new HobError('ERR_INTERNAL', 'x'));
  assert.deepEqual(Object.keys(problem), ['type', 'title', 'status', 'detail', 'code', 'retry']);
  assert.ok(!problemHeaders(problem).includes('retry-after'));
});

test('/fn answers an error of ours, such as a directory that throws, without its message', async () => {
  await using hob = await startGateway();
  hob.directory.resolve = () => {
    throw new TypeError('secret of the platform');
  };
  const response = await fetch(`${hob.url}/fn/hello`);
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.ok(!text.includes('secret'));
  assert.equal((JSON.parse(text) as { code: string }).code, 'ERR_INTERNAL');
  assert.ok(JSON.stringify(hob.logged).includes('secret of the platform'), 'the log has the cause');
});

test('/fn and every other path answer what does not exist with 404', async () => {
  await using hob = await startGateway();
  for (const [path, code] of [
    ['/fn/nope', 'ERR_FN_NOT_FOUND'],
    ['/fn/', 'ERR_FN_NOT_FOUND'],
    ['/fn/No_Name/x', 'ERR_FN_NOT_FOUND'],
    ['/fn/hello@2', 'ERR_FN_VERSION_NOT_FOUND'],
    ['/fn/hello@x', 'ERR_FN_ALIAS_NOT_FOUND'],
    ['/fn/hello@X', 'ERR_FN_VERSION_NOT_FOUND'],
    ['/fn', 'ERR_API_NOT_FOUND'],
    ['/', 'ERR_API_NOT_FOUND'],
    ['/v2/functions', 'ERR_API_NOT_FOUND'],
  ] as const) {
    const response = await fetch(hob.url + path);
    assert.equal(response.status, 404, path);
    assert.equal(((await response.json()) as { code: string }).code, code, path);
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  }
  assert.equal(hob.invoker.calls.length, 0);
});
