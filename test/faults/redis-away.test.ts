import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { exampleFolder } from '../support/example.ts';
import { freePort } from '../support/free-port.ts';
import { HobServer } from '../support/hob-server.ts';
import { problem } from '../support/http-call.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const ASYNC = { headers: { 'hob-invocation-type': 'async' }, body: '{"name":"Ada"}' };

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('While Redis is away synchronous calls go on, asynchronous ones are refused, and hob serve stops as always', async () => {
  await using folder = await TemporaryFolder.create('redis-away');
  const port = await freePort();
  const files = ['--dir', folder.path, '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', ...files], { stdio: 'ignore' });
  await using _ = { [Symbol.asyncDispose]: () => end(redis) };
  await using hob = await HobServer.create({ env: { HOB_REDIS_URL: `redis://127.0.0.1:${port}` } });
  await hob.deploy(exampleFolder('hello'));
  assert.equal((await hob.fn('hello', ASYNC)).status, 202);
  await end(redis);
  await until('hob knows', async () => (await fetch(`${hob.url}/readyz`)).status === 503);
  assert.equal((await hob.fn('hello', { body: '{"name":"Ada"}' })).status, 200);
  assert.equal(problem(await hob.fn('hello', ASYNC)), '503 ERR_QUEUE_UNAVAILABLE');
  assert.equal(await hob.stop(), 0, hob.output);
});
