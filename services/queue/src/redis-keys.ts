import type { RedisTarget } from '@hob/redis';

/** The queue of events. */
export const EVENTS_QUEUE = 'events';
/** The queue of the schedules' ticks. */
export const SCHEDULES_QUEUE = 'schedules';

/** The keys of the events in one Redis. */
export interface QueueKeys {
  /** What BullMQ's keys begin with. */
  readonly bullPrefix: string;
  /** Channel: ids of running events that are to be ended. */
  readonly cancelChannel: string;
  /** The body of an event that is too large for its job. */
  body(id: string): string;
  /** There while an event is cancelled that has not been taken from the queue yet. */
  cancel(id: string): string;
  /** The one run of an event that is run at most once, and how it ended. */
  run(event: string): string;
  /** An idempotency key, by its digest, and the answer to its call. */
  idempotency(digest: string): string;
  /** There while the call of such a key is being made, when the key does not tell. */
  idempotencyHolder(digest: string): string;
  /** A hash: since when schedules are paused, ms since the epoch, by `<function>/<name>`. */
  readonly pausedSchedules: string;
  /** When a schedule was resumed, ms since the epoch; kept for as long as a time may come up late that it was paused at. */
  resumed(schedule: string): string;
  /** A sorted set: the last calls of a schedule by their times. */
  runs(schedule: string): string;
}

export function queueKeys(redis: RedisTarget): QueueKeys {
  return {
    bullPrefix: redis.key('bull'),
    cancelChannel: redis.key('event-cancelled'),
    body: (id) => redis.key(`event-body:${id}`),
    cancel: (id) => redis.key(`event-cancelled:${id}`),
    run: (event) => redis.key(`event-run:${event}`),
    idempotency: (digest) => redis.key(`idempotency:${digest}`),
    idempotencyHolder: (digest) => redis.key(`idempotency-holder:${digest}`),
    pausedSchedules: redis.key('schedules-paused'),
    resumed: (schedule) => redis.key(`schedule-resumed:${schedule}`),
    runs: (schedule) => redis.key(`schedule-runs:${schedule}`),
  };
}
