import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { QueueConfig } from './config.ts';
import type { QueueKeys } from './redis-keys.ts';
import {
  type Attempt,
  type EventPolicy,
  isBeside,
  type NewEvent,
  type StoredEvent,
  storedEvent,
} from './stored-event.ts';

/** Where events go. */
export interface EventTarget {
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly queue: Queue<StoredEvent, Attempt>;
  readonly config: Pick<QueueConfig, 'deadKeepMs'>;
}

/** How long what belongs to an event outlives the last moment at which it can be needed, s. */
export const MARGIN_S = 3600;

/** How long a body is kept: as long as its event may be tried, and then be a dead letter, s. */
export function bodyKeepS({ maxAgeMs }: EventPolicy, { deadKeepMs }: EventTarget['config']): number {
  return Math.ceil((maxAgeMs + deadKeepMs) / 1000) + MARGIN_S;
}

/** Puts an event into the queue; one whose id is there already changes nothing. */
export async function enqueue({ redis, keys, queue, config }: EventTarget, event: NewEvent): Promise<void> {
  const { id, policy, body } = event;
  if (body !== undefined && isBeside(body)) {
    await redis.set(keys.body(id), Buffer.from(body), 'EX', bodyKeepS(policy, config));
  }
  await queue.add(event.webhook === undefined ? 'event' : 'webhook', storedEvent(event), {
    jobId: id,
    attempts: policy.maxAttempts,
    backoff: { type: 'jitter' },
    stackTraceLimit: 0,
  });
}
