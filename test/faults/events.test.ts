import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { asyncPolicy } from '@hob/contracts';
import { EventStore } from '@hob/queue';
import { RedisServer } from '@hob/registry';
import { pino } from 'pino';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { planFaults, randomOf } from './fault-plan.ts';
import { queueConfig } from './queue-config.ts';
import { QueueWorker } from './queue-worker.ts';
import { faultRound } from './round.ts';

const EVENTS = 2000;
const KILLS = 3;
const log = pino({ level: 'silent' });
const policy = { ...asyncPolicy({}), maxAttempts: 4, backoffMs: 20, backoffMaxMs: 200 };

test('Of accepted events none vanishes, however often the queue worker and Redis are killed', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const random = randomOf(seed);
  t.diagnostic(await faultRound({ events: EVENTS, faults: planFaults(random, KILLS, ['kill-both']), random }));
});

for (const [how, signal] of [
  ['is gone', 'SIGKILL'],
  ['answers nothing', 'SIGSTOP'],
] as const) {
  test(`A queue worker whose Redis ${how} ends all the same when it is told to`, async () => {
    await using folder = await TemporaryFolder.create('faults');
    const redis = await RedisServer.start({ folder: join(folder.path, 'redis'), log });
    const file = join(folder.path, 'effects');
    writeFileSync(file, '');
    try {
      await using store = new EventStore({ redis: redis.target, log, config: queueConfig });
      await using worker = new QueueWorker(redis.socketPath, file);
      const event = { function: 'work', version: undefined, policy, method: 'POST', url: 'http://h/', headers: [] };
      const submit = (): Promise<void> => store.submit({ ...event, id: randomUUID(), body: Buffer.from('once') });
      await until('the queue accepts events', async () => (await submit().catch(() => 'not yet')) === undefined);
      await until('the worker works', () => readFileSync(file, 'utf8') !== '');
      for (let count = 0; count < 20; count += 1) await submit();
      const { pid = 0 } = redis;
      // Nobody starts another one for as long as it is to be gone.
      if (signal === 'SIGKILL') await redis[Symbol.asyncDispose]();
      else process.kill(pid, signal);
      assert.equal(await worker.close(), 0);
      if (signal === 'SIGSTOP') process.kill(pid, 'SIGCONT');
    } finally {
      await redis[Symbol.asyncDispose]();
    }
  });
}
