import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { CLOCKS_DIFFER_MS } from './clock-tolerance.ts';
import type { Attempt, StoredEvent } from './stored-event.ts';

/** BullMQ keeps the time of a delayed job, ms, in the upper bits of its score. */
const SCORE_OF_MS = 0x1000;
/** How many are looked at, of those whose times are furthest away. */
const LOOKED_AT_MAX = 100;

/**
 * Has events tried at once that wait for a time further away than any pause of their policy: the clock was set back after they had been
 * told when to come.
 *
 * @returns how many there were.
 */
export async function promoteStuck(queue: Queue<StoredEvent, Attempt>, redis: Redis): Promise<number> {
  const found = await redis.zrevrange(queue.toKey('delayed'), 0, LOOKED_AT_MAX - 1, 'WITHSCORES');
  const nowMs = Date.now();
  let count = 0;
  for (let at = 0; at + 1 < found.length; at += 2) {
    const waitMs = Number(found[at + 1]) / SCORE_OF_MS - nowMs;
    if (waitMs <= CLOCKS_DIFFER_MS) break;
    const job = await queue.getJob(found[at] ?? '');
    if (job === undefined || waitMs <= job.data.policy.backoffMaxMs + CLOCKS_DIFFER_MS) continue;
    // Another hob may have done it.
    await job.promote().then(
      () => (count += 1),
      () => undefined,
    );
  }
  return count;
}
