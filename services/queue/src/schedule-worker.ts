import { asyncPolicy, type FunctionDirectory, isHobError, type QueueObserver, uuidOf } from '@hob/contracts';
import { type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { bullOptions } from './bull-options.ts';
import { enqueue, type EventTarget } from './enqueue.ts';
import { SCHEDULES_QUEUE } from './redis-keys.ts';
import type { Tick } from './schedule-plan.ts';

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
 * job's: however often a tick is taken up, there is one event.
 */
export class ScheduleWorker {
  readonly #options: ScheduleWorkerOptions;
  readonly #worker: Worker<Tick>;

  constructor(options: ScheduleWorkerOptions) {
    const { redis, target, log } = options;
    this.#options = options;
    this.#worker = new Worker<Tick>(SCHEDULES_QUEUE, (job) => this.#tick(job), {
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

  async #tick(job: Job<Tick>): Promise<void> {
    const { function: name, entry } = job.data;
    const { method = 'POST', path = '/' } = entry;
    const body = entry.body === undefined ? undefined : Buffer.from(entry.body);
    const length = body === undefined ? [] : ['content-length', String(body.byteLength)];
    const headers = ['content-type', 'application/json', 'hob-schedule', entry.name, ...length];
    const policy = this.#policyOf(name);
    if (policy === undefined) return;
    const id = uuidOf(`tick ${job.id}`);
    const about = { id, function: name, version: undefined, policy, method, url: `http://${name}${path}` };
    await enqueue(this.#options.target, { ...about, headers, body });
    const { observer, log } = this.#options;
    observer.scheduled(Math.max(0, Date.now() - (job.opts.prevMillis ?? job.timestamp)));
    log.debug({ function: name, schedule: entry.name, id }, 'a schedule has made an event');
  }

  /** @returns undefined when the function is gone. */
  #policyOf(name: string) {
    const { directory, log } = this.#options;
    try {
      return asyncPolicy(directory.resolve(name).config);
    } catch (error) {
      if (!isHobError(error)) throw error;
      log.warn({ function: name, err: error }, 'a schedule found no function');
      return undefined;
    }
  }
}
