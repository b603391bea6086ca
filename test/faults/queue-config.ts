import type { QueueConfig } from '@hob/queue';

/** Settings of the queues under test. */
export const queueConfig: QueueConfig = {
  concurrency: 8,
  bodyBytesMax: 2 ** 20,
  resultBytesMax: 1024,
  resultKeepMs: 3_600_000,
  deadKeepMs: 3_600_000,
  idempotencyKeepMs: 60_000,
  redisBytesMax: 2 ** 30,
};
