import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { Pool } from 'undici';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';

const slow = join(import.meta.dirname, '../functions/slow');
const withoutPool = { HOB_POOL_MIN: '0', HOB_POOL_MAX: '0' };

/** Calls a path again and again over some connections, until it is told to stop. @returns how often each status came. */
async function flood(url: string, path: string, options: { connections: number; signal: AbortSignal }) {
  const pool = new Pool(url, { connections: options.connections });
  const statuses: Record<number, number> = {};
  const loop = async (): Promise<void> => {
    while (!options.signal.aborted) {
      const answer = await pool.request({ method: 'GET', path });
      await answer.body.dump();
      statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: options.connections }, loop));
  await pool.close();
  return statuses;
}

test('a flood of one function that fills the host leaves room for single calls of another one', async () => {
  await using hob = await HobServer.create({
    env: { ...withoutPool, HOB_CONTAINERS_MAX: '3', HOB_QUEUE_TIMEOUT_MS: '4000', HOB_QUEUE_TARGET_MS: '4000' },
  });
  await hob.deploy(slow, exampleFolder('hello'));
  const ending = new AbortController();
  const flooding = flood(hob.url, '/fn/slow?ms=20', { connections: 24, signal: ending.signal });
  try {
    for (let count = 0; count < 5; count += 1) {
      await delay(100);
      const answer = await hob.fn('hello', { method: 'POST', body: JSON.stringify({ name: 'you' }) });
      assert.equal(answer.status, 200, answer.body.toString());
    }
  } finally {
    ending.abort();
  }
  assert.deepEqual(Object.keys(await flooding), ['200'], 'nor does the flood lose a call');
});

test('no 502 while scaling up and down: containers come, freeze, thaw and go with the load, and no call notices', async () => {
  await using hob = await HobServer.create({
    env: {
      ...withoutPool,
      HOB_KEEP_ALIVE_MS: '40',
      HOB_KEEP_ALIVE_POLICY: 'fixed',
      HOB_FREEZE_AFTER_MS: '10',
      HOB_CONTAINERS_MAX: '6',
    },
  });
  await hob.deploy(slow);
  for (const connections of [1, 4, 12, 4, 1, 8, 1]) {
    const signal = AbortSignal.timeout(400);
    assert.deepEqual(Object.keys(await flood(hob.url, '/fn/slow?ms=5', { connections, signal })), ['200']);
    // Calls that come just when containers are frozen, or end.
    for (const pauseMs of [8, 10, 12, 38, 40, 42, 44]) {
      await delay(pauseMs);
      assert.equal((await hob.fn('slow?ms=0')).status, 200);
    }
  }
});
