import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { asyncPolicy, type InvocationRecord } from '@hob/contracts';
import { EventStore } from '@hob/queue';
import { RedisServer } from '@hob/registry';
import { pino } from 'pino';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { queueConfig } from './queue-config.ts';

const EVENTS = 2000;
const KILLS = 3;
const log = pino({ level: 'silent' });
const policy = { ...asyncPolicy({}), maxAttempts: 4, backoffMs: 20, backoffMaxMs: 200 };

class Worker implements AsyncDisposable {
  readonly #arguments: readonly string[];
  #child: ChildProcess | undefined;

  constructor(redis: string, file: string) {
    this.#arguments = ['--conditions=@hob/source', join(import.meta.dirname, 'queue-process.ts'), redis, file];
    this.start();
  }

  start(): void {
    this.#child = spawn(process.execPath, this.#arguments, { stdio: 'inherit' });
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    this.#child = undefined;
  }

  /** As hob does when it stops. @returns its exit code, once it has ended by itself. */
  async close(): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    child.kill('SIGTERM');
    await until('the queue worker has ended', () => child.exitCode !== null || child.signalCode !== null);
    return child.exitCode ?? undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

test('Of accepted events none vanishes, however often the queue worker and Redis are killed', async (t) => {
  await using folder = await TemporaryFolder.create('faults');
  await using redis = await RedisServer.start({ folder: join(folder.path, 'redis'), log });
  const file = join(folder.path, 'effects');
  writeFileSync(file, '');
  await using store = new EventStore({ redis: redis.socketPath, log, config: queueConfig });
  await using worker = new Worker(redis.socketPath, file);

  const accepted = new Map<string, 'once' | 'never'>();
  let refused = 0;
  let isAccepting = true;
  const accept = async (): Promise<void> => {
    while (accepted.size < EVENTS) {
      const id = randomUUID();
      const kind = Math.random() < 0.02 ? 'never' : 'once';
      const event = { id, function: 'work', version: undefined, policy, method: 'POST', url: 'http://h/', headers: [] };
      try {
        await store.submit({ ...event, body: Buffer.from(kind) });
        accepted.set(id, kind);
      } catch {
        refused += 1;
        await delay(5);
      }
    }
    isAccepting = false;
  };
  const accepting = Promise.all(Array.from({ length: 4 }, accept));
  for (let kill = 1; kill <= KILLS; kill++) {
    const share = (EVENTS * kill) / (KILLS + 1);
    await until(`${share} events`, () => !isAccepting || accepted.size >= share);
    if (redis.pid !== undefined) process.kill(redis.pid, 'SIGKILL');
    await delay(Math.random() * 200);
    await worker.kill();
    await delay(Math.random() * 200);
    worker.start();
  }
  await accepting;

  const ends = new Map<string, InvocationRecord>();
  await until(
    () => `all have ended, of ${accepted.size} only ${ends.size}`,
    async () => {
      for (const id of accepted.keys()) {
        if (ends.has(id)) continue;
        const record = await store.read(id);
        assert.ok(record !== undefined, `${id} vanished`);
        if (record.endedAt !== undefined) ends.set(id, record);
      }
      return ends.size === accepted.size;
    },
  );
  const effects = new Set(readFileSync(file, 'utf8').split('\n'));
  for (const [id, kind] of accepted) {
    const status = ends.get(id)?.status;
    if (kind === 'never') assert.equal(status, 'dead', `${id} never succeeds`);
    else assert.ok(status === 'dead' || (status === 'succeeded' && effects.has(id)), `${id} is ${status}, unseen`);
  }
  const dead = [...ends.values()].filter(({ status }) => status === 'dead').length;
  t.diagnostic(
    `${accepted.size} accepted, ${refused} refused, ${dead} dead letters; Redis was started again ${redis.restarts} times`,
  );
  assert.ok(redis.restarts >= KILLS - 1);
  // One whose answer was lost with Redis may be there without having been accepted.
  assert.ok((await store.deadLetters.list(undefined, 1)).total >= dead);
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
      await using store = new EventStore({ redis: redis.socketPath, log, config: queueConfig });
      await using worker = new Worker(redis.socketPath, file);
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
