import { type FunctionDirectory, type FunctionVersion, isHobError, type QueueObserver, uuidOf } from '@hob/contracts';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { bullOptions } from './bull-options.ts';
import { enqueue, type EventTarget } from './enqueue.ts';
import { QueueWorker } from './queue-worker.ts';
import { SCHEDULES_QUEUE } from './redis-keys.ts';
import { SchedulePauses } from './schedule-pauses.ts';
import { scheduleKey, type Tick } from './schedule-plan.ts';
import { ScheduleRuns } from './schedule-runs.ts';
import { scheduledEvent } from './scheduled-event.ts';

export interface ScheduleWorkerOptions {
  /** Waits for Redis. */
  readonly redis: Redis;
  readonly target: EventTarget;
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  readonly observer: Pick<QueueObserver, 'scheduled'>;
  readonly log: Logger;
}

/**
 * Makes an event of each tick of a schedule. Each time has one job in Redis, whoever looks after it, and its event an id that is made from the
 * job's: however often a tick is taken up, there is one event. A time at which its schedule is paused makes none, now or later.
 */
export class ScheduleWorker {
  readonly #options: ScheduleWorkerOptions;
  readonly #worker: QueueWorker<Tick>;
  readonly #pauses: SchedulePauses;
  readonly #runs: ScheduleRuns;

  constructor(options: ScheduleWorkerOptions) {
    const { redis, target, log } = options;
    this.#options = options;
    this.#pauses = new SchedulePauses(redis, target.keys);
    this.#runs = new ScheduleRuns(redis, target.keys);
    this.#worker = new QueueWorker<Tick>(SCHEDULES_QUEUE, (job) => this.#tick(job), {
      connection: redis,
      prefix: target.keys.bullPrefix,
      lockDuration: 15_000,
      stalledInterval: 7_500,
      maxStalledCount: 1000,
      runRetryDelay: 1000,
      ...bullOptions,
    });
    this.#worker.on('error', (error) => log.debug({ err: error }, 'a command of the schedule worker failed'));
  }

  /** Takes no more ticks. */
  async close(): Promise<void> {
    await this.#worker.close().catch(() => undefined);
  }

  /** Leaves it, if `close` has not come to its end. */
  abandon(): void {
    this.#worker.abandon();
  }

  async #tick(job: Job<Tick>): Promise<void> {
    const { function: name, entry } = job.data;
    const { observer, log, target } = this.#options;
    const key = scheduleKey(name, entry.name);
    const atMs = dueMs(job);
    if (await this.#pauses.covers(key, atMs)) {
      log.debug({ function: name, schedule: entry.name }, 'a paused schedule has made no event');
      return;
    }
    const live = this.#liveOf(name);
    if (live === undefined) return;
    const id = uuidOf(`tick ${job.id}`);
    await enqueue(target, scheduledEvent(id, live, entry));
    await this.#runs.note(key, { id, cause: 'time', atMs });
    observer.scheduled(Math.max(0, Date.now() - atMs));
    log.debug({ function: name, schedule: entry.name, id }, 'a schedule has made an event');
  }

  /** @returns undefined when the function is gone. */
  #liveOf(name: string): FunctionVersion | undefined {
    const { directory, log } = this.#options;
    try {
      return directory.resolve(name);
    } catch (error) {
      if (!isHobError(error)) throw error;
      log.warn({ function: name, err: error }, 'a schedule found no function');
      return undefined;
    }
  }
}

/** The time that a tick is for, ms since the epoch: its id ends with it. */
function dueMs({ id = '', timestamp }: Job<Tick>): number {
  const [digits] = /[0-9]+$/.exec(id) ?? [];
  return digits === undefined ? timestamp : Number(digits);
}
