import type { QueueCounts } from '@hob/contracts';
import { Counter, Gauge, type Registry } from 'prom-client';

/** The metrics of asynchronous calls. */
export interface QueueDefinitions {
  readonly events: Gauge<'status'>;
  readonly oldestEvent: Gauge;
  readonly attempts: Counter<'outcome'>;
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
  };
}

/** Shows what the queue holds; nothing while Redis is away. */
export function setQueueMetrics({ events, oldestEvent }: QueueDefinitions, counts: QueueCounts | undefined): void {
  events.reset();
  oldestEvent.reset();
  if (counts === undefined) return;
  const { waiting, running, failed, dead, oldestAgeMs } = counts;
  for (const [status, count] of Object.entries({ waiting, running, failed, dead })) events.set({ status }, count);
  oldestEvent.set(oldestAgeMs / 1000);
}
