/** A whole hob on a Redis of the operator's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { until } from '../support/until.ts';
import { Cluster } from './cluster.ts';

const ASYNC = { headers: { 'hob-invocation-type': 'async' }, body: '{"name":"Ada"}' };

test('hob serve works on a Redis Cluster under a prefix, finds everything after a restart, and logs no password', async () => {
  await using cluster = await Cluster.start();
  const env = { HOB_REDIS_URL: cluster.url, HOB_REDIS_PREFIX: 'blue', HOB_LOG_LEVEL: 'trace' };
  await using hob = await HobServer.create({ env });
  await hob.deploy(exampleFolder('hello'));
  assert.equal((await hob.fn('hello', { body: '{"name":"Ada"}' })).status, 200);
  const accepted = await hob.fn('hello', ASYNC);
  assert.equal(accepted.status, 202);
  const { id } = JSON.parse(accepted.body.toString()) as { id: string };
  await until('it has succeeded', async () => {
    const record = (await hob.control(`invocations/${id}`)) as { status: string };
    return record.status === 'succeeded';
  });
  assert.equal(await hob.stop(), 0, hob.output);
  await hob.start();
  assert.equal((await hob.fn('hello', { body: '{"name":"Ada"}' })).status, 200);
  assert.equal(await hob.stop(), 0, hob.output);
  for (const password of cluster.passwords) assert.ok(!hob.output.includes(password), hob.output);
  assert.match(hob.output, /redis\+cluster:\/\/127\.0\.0\.1:1,/);
  const keys = (await (await cluster.owner('{blue}')).run('KEYS', '*')) as string[];
  assert.ok(
    keys.every((key) => key.startsWith('{blue}:')),
    keys.join(),
  );
});
