import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { InvocationRecord } from '@hob/contracts';
import { HobServer, repository } from '../support/hob-server.ts';
import { until } from '../support/until.ts';

let hob: HobServer;

before(async () => {
  hob = await HobServer.create();
  await hob.deploy(join(repository, 'test/functions/retried'));
});
after(() => hob[Symbol.asyncDispose]());

async function queued(path: string): Promise<string> {
  const { exitCode, stdout, stderr } = await hob.hob(['invoke', 'retried', '--async', '--path', path]);
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
}

async function reached(id: string, status: InvocationRecord['status']): Promise<InvocationRecord> {
  return until(`${id} is ${status}`, async () => {
    const record = (await hob.control(`invocations/${id}`)) as InvocationRecord;
    return record.status === status && record;
  });
}

test('An asynchronous call that fails twice succeeds, and its answer and receipt can be read', async () => {
  const id = await queued('/?failures=2');
  const { exitCode, stdout } = await hob.hob(['invocation', id, '--wait', '--json']);
  assert.equal(exitCode, 0, stdout);
  const record = JSON.parse(stdout) as InvocationRecord;
  assert.deepEqual([record.status, record.attempts, record.function], ['succeeded', 3, 'retried']);
  assert.deepEqual(JSON.parse(record.result?.body ?? ''), { attempt: 3, body: 0 });
  assert.equal(record.receipt?.invocationId, id);
  assert.equal(record.receipt?.outcome, 'ok');
  assert.match((await hob.hob(['invocation', id])).stdout, /succeeded[^]*"attempt":3/);
});

test('An asynchronous call that always fails is a dead letter that says why', async () => {
  const id = await queued('/?failures=9');
  assert.equal((await hob.hob(['invocation', id, '--wait'])).exitCode, 1);
  const record = await reached(id, 'dead');
  assert.equal(record.error?.code, 'ERR_FN_THREW');
  assert.match(record.error?.message ?? '', /attempt 3 fails/);
});

test('A body of a megabyte goes through the queue', async () => {
  const headers = { 'hob-invocation-type': 'async' };
  const answer = await hob.fn('retried', { method: 'POST', headers, body: 'x'.repeat(1024 * 1024) });
  assert.equal(answer.status, 202);
  const { id } = JSON.parse(answer.body.toString()) as { id: string };
  const record = await reached(id, 'succeeded');
  assert.deepEqual(JSON.parse(record.result?.body ?? ''), { attempt: 1, body: 1024 * 1024 });
});

test('hob invocation --cancel ends a running asynchronous call for good', async () => {
  const id = await queued('/?ms=20000');
  await reached(id, 'running');
  assert.equal((await hob.hob(['invocation', id, '--cancel'])).exitCode, 0);
  const record = await reached(id, 'cancelled');
  assert.ok(
    record.endedAt !== undefined || (await until('it ends', async () => (await reached(id, 'cancelled')).endedAt)),
  );
});

test('What was accepted before kill -9 of hob is run after its next start', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => queued(`/?ms=${index * 20}`)));
  await hob.kill();
  await hob.start();
  for (const id of ids) await reached(id, 'succeeded');
});
