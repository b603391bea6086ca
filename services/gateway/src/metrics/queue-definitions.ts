import type { QueueCounts } from '@hob/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** From on time to an hour of downtime, seconds. */
const lagBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300, 3600];
/** Up to the longest that Redis may take, seconds. */
const roundTripBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];

/** The metrics of the queue: asynchronous calls, schedules, idempotency keys and Redis. */
export interface QueueDefinitions {
  readonly events: Gauge<'status'>;
  readonly oldestEvent: Gauge;
  readonly attempts: Counter<'outcome'>;
  readonly schedules: Gauge<'state'>;
  readonly scheduleLag: Histogram;
  readonly keyHits: Counter<'outcome'>;
  readonly redisRoundTrip: Histogram;
}

/** Makes them. */
export function defineQueueMetrics(registers: Registry[]): QueueDefinitions {
  return {
    events: new Gauge({
      name: 'hob_async_events',
      help: 'Asynchronous calls by what has become of them; dead are the dead letters.',
      labelNames: ['status'],
      registers,
    }),
    oldestEvent: new Gauge({
      name: 'hob_async_oldest_seconds',
      help: 'Age of the oldest asynchronous call that waits for its turn.',
      registers,
    }),
    attempts: new Counter({
      name: 'hob_async_attempts_total',
      help: 'Attempts of asynchronous calls, by how they ended.',
      labelNames: ['outcome'],
      registers,
    }),
    schedules: new Gauge({
      name: 'hob_schedules',
      help: 'Schedules with a time to come: active ones, and those that an operator has paused.',
      labelNames: ['state'],
      registers,
    }),
    scheduleLag: new Histogram({
      name: 'hob_schedule_lag_seconds',
      help: 'How long after its time a schedule made its event.',
      buckets: lagBuckets,
      registers,
    }),
    keyHits: new Counter({
      name: 'hob_idempotency_hits_total',
      help: 'Calls whose idempotency key was taken: answered again, refused as busy, or refused as a different request.',
      labelNames: ['outcome'],
      registers,
    }),
    redisRoundTrip: new Histogram({
      name: 'hob_redis_round_trip_seconds',
      help: 'How long Redis took to answer a short command; it is asked once a second.',
      buckets: roundTripBuckets,
      registers,
    }),
  };
}

/** Shows what the queue holds; nothing while Redis is away. */
export function setQueueMetrics(metrics: QueueDefinitions, counts: QueueCounts | undefined): void {
  const { events, oldestEvent } = metrics;
  for (const gauge of [events, oldestEvent, metrics.schedules]) gauge.reset();
  if (counts === undefined) return;
  const { waiting, running, failed, dead, oldestAgeMs, schedules } = counts;
  for (const [status, count] of Object.entries({ waiting, running, failed, dead })) events.set({ status }, count);
  oldestEvent.set(oldestAgeMs / 1000);
  for (const [state, count] of Object.entries(schedules)) metrics.schedules.set({ state }, count);
}
