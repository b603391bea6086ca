import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { RedisServer } from '@hob/registry';
import type { InvocationRecord } from '@hob/contracts';
import { pino } from 'pino';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { type Answer, call, problem } from '../support/http-call.ts';
import { descendants, signal } from '../support/processes.ts';
import { SlowProxy } from '../support/slow-proxy.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const BODY = '{"name":"Ada"}';
/** Longer than a command may take. */
const TOO_LATE_MS = 6000;

function sync(hob: HobServer): Promise<Answer> {
  return hob.fn('hello', { body: BODY });
}

function async(hob: HobServer, key?: string): Promise<Answer> {
  const headers = { 'hob-invocation-type': 'async', ...(key !== undefined && { 'idempotency-key': key }) };
  return hob.fn('hello', { headers, body: BODY });
}

async function isReady(hob: HobServer): Promise<boolean> {
  return (await call(`${hob.url}/readyz`)).status === 200;
}

async function succeeds(hob: HobServer, id: string): Promise<void> {
  await until(`${id} succeeds`, async () => {
    const record = (await hob.control(`invocations/${id}`)) as InvocationRecord;
    return record.status === 'succeeded';
  });
}

function idOf(answer: Answer): string {
  assert.equal(answer.status, 202, answer.body.toString());
  return (JSON.parse(answer.body.toString()) as { id: string }).id;
}

/** While Redis answers too late or nothing. */
async function assertAway(hob: HobServer): Promise<void> {
  await until('hob is not ready', async () => !(await isReady(hob)));
  for (let count = 0; count < 20; count += 1) assert.equal((await sync(hob)).status, 200);
  const answers = await Promise.all([async(hob), async(hob, 'key'), async(hob, 'key')]);
  assert.deepEqual(new Set(answers.map(problem)), new Set(['503 ERR_QUEUE_UNAVAILABLE']));
  assert.equal((await sync(hob)).status, 200);
}

/** Afterwards: what came twice under one key is one event. */
async function assertBack(hob: HobServer): Promise<void> {
  await until('hob is ready', () => isReady(hob));
  await succeeds(hob, idOf(await async(hob)));
  const answer = await until('the call with the key is accepted', async () => {
    const again = await async(hob, 'key');
    return again.status === 202 && again;
  });
  assert.equal(idOf(await async(hob, 'key')), idOf(answer));
  await succeeds(hob, idOf(answer));
}

test('While Redis answers slowly calls go on, and while it answers too late asynchronous ones are refused; then all is as before', async () => {
  await using folder = await TemporaryFolder.create('slow-redis');
  await using redis = await RedisServer.start({ folder: join(folder.path, 'redis'), log: pino({ level: 'silent' }) });
  await using proxy = await SlowProxy.open(redis.socketPath);
  await using hob = await HobServer.create({ env: { HOB_REDIS_URL: proxy.path } });
  await hob.deploy(exampleFolder('hello'));
  for (const delayMs of [200, 1000]) {
    proxy.delayMs = delayMs;
    const ids = [idOf(await async(hob)), idOf(await async(hob))];
    assert.equal((await sync(hob)).status, 200);
    for (const id of ids) await succeeds(hob, id);
    assert.ok(await isReady(hob), `${delayMs} ms are no reason not to be ready`);
  }
  proxy.delayMs = TOO_LATE_MS;
  await assertAway(hob);
  proxy.delayMs = 0;
  await assertBack(hob);
  assert.equal(await hob.stop(), 0, hob.output);
});

test('While the private Redis is stopped calls go on, asynchronous ones are refused, and all is as before when it goes on', async () => {
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'));
  const redis = descendants(hob.pid).find(({ name }) => name === 'redis-server') ?? assert.fail('there is no Redis');
  signal(redis.pid, 'SIGSTOP');
  try {
    await assertAway(hob);
  } finally {
    signal(redis.pid, 'SIGCONT');
  }
  await assertBack(hob);
  assert.equal(await hob.stop(), 0, hob.output);
});
