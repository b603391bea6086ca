import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { asyncPolicy, type InvocationRecord, isHobError } from '@hob/contracts';
import { EventStore } from '@hob/queue';
import { RedisServer } from '@hob/registry';
import { pino } from 'pino';
import { signal } from '../support/processes.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { endsOf } from './ends.ts';
import type { Fault, FaultKind } from './fault-plan.ts';
import { queueConfig } from './queue-config.ts';
import { QueueWorker } from './queue-worker.ts';

/** A share of the events that fail whenever they are tried, and of those that are run at most once. */
const NEVER_SHARE = 0.02;
const SINGLE_SHARE = 0.5;
const SUBMITTERS = 4;
const log = pino({ level: 'silent' });
const policy = { ...asyncPolicy({}), maxAttempts: 4, backoffMs: 20, backoffMaxMs: 200 };

export interface RoundOptions {
  /** How many events are to be accepted. */
  readonly events: number;
  readonly faults: readonly Fault<FaultKind>[];
  readonly random: () => number;
}

/** What the client was told. */
class Accepted {
  readonly kinds = new Map<string, 'again' | 'single' | 'never'>();
  refused = 0;
  isOver = false;

  async fill(store: EventStore, { events, random }: RoundOptions): Promise<void> {
    const submit = async (): Promise<void> => {
      while (this.kinds.size < events) {
        const id = randomUUID();
        const kind = random() < NEVER_SHARE ? 'never' : random() < SINGLE_SHARE ? 'single' : 'again';
        const event = {
          id,
          function: 'work',
          version: undefined,
          policy: kind === 'single' ? { ...policy, isOnce: true as const } : policy,
          method: 'POST',
          url: 'http://h/',
          headers: [],
        };
        try {
          await store.submit({ ...event, body: Buffer.from(kind) });
          this.kinds.set(id, kind);
        } catch {
          this.refused += 1;
          await delay(5);
        }
      }
      this.isOver = true;
    };
    await Promise.all(Array.from({ length: SUBMITTERS }, submit));
  }
}

/**
 * Has events accepted and run on a Redis of their own while faults come, and checks that each succeeded, where that was recorded, or is a
 * dead letter; and that those which are to be run at most once were not run twice.
 *
 * @returns what happened, for people.
 * @throws what is not as it should be.
 */
export async function faultRound(options: RoundOptions): Promise<string> {
  const { events, faults } = options;
  await using folder = await TemporaryFolder.create('faults');
  await using redis = await RedisServer.start({ folder: join(folder.path, 'redis'), log });
  const file = join(folder.path, 'effects');
  writeFileSync(file, '');
  await using store = new EventStore({ redis: redis.target, log, config: queueConfig });
  await using worker = new QueueWorker(redis.socketPath, file);

  const accepted = new Accepted();
  const accepting = accepted.fill(store, options);
  let restartsDue = 0;
  for (const fault of faults) {
    const due = events * fault.share;
    await until(`${due} events`, () => accepted.isOver || accepted.kinds.size >= due);
    const { restarts } = redis;
    if (await strike(fault, redis, worker)) restartsDue = restarts + 1;
  }
  await accepting;

  const ends = await endsOf(accepted.kinds.keys(), (id) => recordOf(id, store));
  const effects = Map.groupBy(readFileSync(file, 'utf8').split('\n'), (id) => id);
  let interrupted = 0;
  for (const [id, kind] of accepted.kinds) {
    const { status, error } = ends.get(id) ?? {};
    if (kind === 'never') assert.equal(status, 'dead', `${id} never succeeds`);
    else assert.ok(status === 'dead' || (status === 'succeeded' && effects.has(id)), `${id} is ${status}, unseen`);
    if (error?.code === 'ERR_FN_INTERRUPTED') interrupted += 1;
    else if (kind === 'single' && status === 'dead') assert.equal(error?.code, 'ERR_FN_STATUS', id);
    if (kind === 'single') assert.ok((effects.get(id)?.length ?? 0) <= 1, `${id} was run twice`);
  }
  const dead = [...ends.values()].filter(({ status }) => status === 'dead').length;
  await until('Redis was started again after its last kill', () => redis.restarts >= restartsDue);
  // One whose answer was lost with Redis may be there without having been accepted.
  assert.ok((await store.deadLetters.list(undefined, 1)).total >= dead);
  const { kinds, refused } = accepted;
  return `${kinds.size} accepted, ${refused} refused, ${dead} dead letters, ${interrupted} of them cut in the middle; Redis was started again ${redis.restarts} times`;
}

/** @returns whether Redis was killed. */
async function strike(
  { kind, pauseMs, awayMs }: Fault<FaultKind>,
  redis: RedisServer,
  worker: QueueWorker,
): Promise<boolean> {
  const { pid } = redis;
  const isKilled = pid !== undefined && (kind === 'kill-redis' || kind === 'kill-both');
  if (isKilled) signal(pid, 'SIGKILL');
  if (pid !== undefined && kind === 'stop-redis') signal(pid, 'SIGSTOP');
  if (kind === 'stop-worker') worker.stop();
  await delay(pauseMs);
  if (pid !== undefined && kind === 'stop-redis') signal(pid, 'SIGCONT');
  worker.continue();
  if (kind === 'kill-worker' || kind === 'kill-both') {
    await worker.kill();
    await delay(awayMs);
    worker.start();
  }
  return isKilled;
}

/** What is known of an event; undefined while Redis is not there, as after the last fault. */
async function recordOf(id: string, store: EventStore): Promise<InvocationRecord | undefined> {
  try {
    const record = await store.read(id);
    assert.ok(record !== undefined, `${id} vanished`);
    return record;
  } catch (error) {
    if (isHobError(error) && error.code === 'ERR_QUEUE_UNAVAILABLE') return undefined;
    throw error;
  }
}
