import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { configOf } from './fakes/fake-services.ts';
import { startGateway, TOKEN } from './fakes/test-gateway.ts';
import { keepAlive, memory, pool } from './fakes/samples.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: unknown;
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: unknown }> }>;
}

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly security: unknown;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

const routes = [
  'delete /v1/functions/{name}',
  'delete /v1/functions/{name}/aliases/{alias}',
  'delete /v1/functions/{name}/secrets/{secret}',
  'delete /v1/invocations/{id}',
  'get /v1/dead-letters',
  'get /v1/dead-letters/{id}',
  'get /v1/functions',
  'get /v1/functions/{name}',
  'get /v1/functions/{name}/aliases',
  'get /v1/functions/{name}/logs',
  'get /v1/functions/{name}/secrets',
  'get /v1/functions/{name}/versions/{version}',
  'get /v1/invocations/{id}',
  'get /v1/schedules',
  'get /v1/schedules/{function}/{schedule}',
  'get /v1/stats',
  'post /v1/dead-letters/purge',
  'post /v1/dead-letters/redrive',
  'post /v1/functions/{name}/rollback',
  'post /v1/functions/{name}/seccomp/learn',
  'post /v1/functions/{name}/versions',
  'post /v1/schedules/{function}/{schedule}/pause',
  'post /v1/schedules/{function}/{schedule}/resume',
  'post /v1/schedules/{function}/{schedule}/run',
  'post /v1/secret-key/rotate',
  'put /v1/functions/{name}/aliases/{alias}',
  'put /v1/functions/{name}/secrets/{secret}',
];

test('/v1/openapi.json is a valid OpenAPI 3.1 document of every route under /v1', async () => {
  await using hob = await startGateway();
  const document = (await (await fetch(`${hob.url}/v1/openapi.json`)).json()) as OpenApi;
  const result = await new Validator().validate({ ...document });
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(result.valid, true);
  assert.equal(document.openapi, '3.1.0');
  assert.equal(document.info.version, '1.2.3');
  assert.deepEqual(document.security, [{ token: [] }]);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ id: `${method} ${path}`, operation })),
  );
  assert.deepEqual(operations.map(({ id }) => id).toSorted(), routes);
  for (const { id, operation } of operations) {
    assert.ok(operation.operationId && operation.summary, id);
    assert.deepEqual(operation.responses['default']?.content?.['application/problem+json']?.schema, {
      $ref: '#/components/schemas/Problem',
    });
  }
});

test('/v1/openapi.json describes what the routes truly answer', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('hello', { env: { A: 'b' }, assets: ['x'] }));
  const numbers = { loading: 0, idle: 1, busy: 2, waiting: 3, cpuSeconds: 0.5, memoryBytes: 9, keepAlive };
  hob.control.current = {
    pools: [pool],
    memory,
    functions: [{ function: 'hello', version: 1, ...numbers }],
    zygotes: [{ runtime: 'nodejs24.x', memoryMb: 256, pid: 7, restarts: 0 }],
  };
  const line = { timeMs: 1, function: 'hello', version: 1, invocationId: '', line: 'x' };
  hob.logs.append({ ...line, channel: 'platform' });
  const document = (await (await fetch(`${hob.url}/v1/openapi.json`)).json()) as OpenApi;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(document, 'openapi');
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (const [path, template, type] of [
    ['/v1/functions', '/v1/functions', 'application/json'],
    ['/v1/functions/hello', '/v1/functions/{name}', 'application/json'],
    ['/v1/stats', '/v1/stats', 'application/json'],
    ['/v1/schedules', '/v1/schedules', 'application/json'],
    ['/v1/schedules/hello/nightly', '/v1/schedules/{function}/{schedule}', 'application/json'],
    ['/v1/functions/hello/logs', '/v1/functions/{name}/logs', 'application/x-ndjson'],
  ] as const) {
    const pointer = ['paths', template, 'get', 'responses', '200', 'content', type, 'schema']
      .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
      .join('/');
    const validate = ajv.compile({ $ref: `openapi#/${encodeURI(pointer)}` });
    const answer: unknown = await (await fetch(hob.url + path, { headers })).json();
    validate(answer);
    assert.deepEqual(validate.errors ?? [], [], path);
    assert.ok(!validate({ made: 'up' }), 'the schema says something');
  }
  const problem = ajv.compile({ $ref: 'openapi#/components/schemas/Problem' });
  assert.ok(problem(await (await fetch(`${hob.url}/v1/stats`)).json()));
});
