import type { DeadLetter, DeadLetterChoice, DeadLetterList, DeadLetters } from '@hob/contracts';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { EventJob } from './event-store.ts';
import { keptText } from './answer-sink.ts';
import { recordOf } from './invocation-record.ts';
import type { QueueKeys } from './redis-keys.ts';
import type { Attempt, StoredEvent } from './stored-event.ts';

export interface DeadLettersOptions {
  readonly queue: Queue<StoredEvent, Attempt>;
  readonly redis: Redis;
  readonly keys: QueueKeys;
  /** Runs commands; their failure is ERR_QUEUE_UNAVAILABLE. */
  readonly ask: <T>(commands: () => Promise<T>) => Promise<T>;
  /** How long the body of an event is kept that begins anew, s. */
  readonly bodyKeepS: (event: StoredEvent) => number;
}

/** How many are read at a time. */
const PAGE = 200;

/** The events that were given up: the failed jobs of the queue. */
export class QueueDeadLetters implements DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  list(functionName: string | undefined, limit: number): Promise<DeadLetterList> {
    const { queue, ask } = this.#options;
    return ask(async () => {
      const letters: EventJob[] = [];
      for await (const job of this.#chosen({ function: functionName })) {
        if (letters.push(job) >= limit) break;
      }
      return {
        total: await queue.getFailedCount(),
        letters: letters.map((job) => recordOf(job, 'failed', false)),
      };
    });
  }

  read(id: string): Promise<DeadLetter | undefined> {
    const { redis, keys, ask } = this.#options;
    return ask(async () => {
      const job = await this.#job(id);
      if (job === undefined) return undefined;
      const { method, url, headers, body = '', isBodyBeside } = job.data;
      const beside = isBodyBeside ? await redis.getBuffer(keys.body(id)) : undefined;
      const bytes = beside ?? Buffer.from(body, 'base64');
      const request = { method, url, headers, ...keptText(bytes), bodyBytes: bytes.byteLength };
      return { ...recordOf(job, 'failed', false), request };
    });
  }

  redrive(choice: DeadLetterChoice): Promise<number> {
    const { redis, keys, bodyKeepS } = this.#options;
    return this.#each(choice, async (job) => {
      await job.updateData({ ...job.data, redrivenMs: Date.now() });
      if (job.data.isBodyBeside) await redis.expire(keys.body(job.id ?? ''), bodyKeepS(job.data));
      await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    });
  }

  purge(choice: DeadLetterChoice): Promise<number> {
    const { redis, keys } = this.#options;
    return this.#each(choice, async (job) => {
      await job.remove();
      if (job.data.isBodyBeside) await redis.del(keys.body(job.id ?? ''));
    });
  }

  /** @returns how many it was done for; those that somebody else took meanwhile are left out. */
  #each(choice: DeadLetterChoice, act: (job: EventJob) => Promise<void>): Promise<number> {
    return this.#options.ask(async () => {
      const jobs: EventJob[] = [];
      for await (const job of this.#chosen(choice)) jobs.push(job);
      let count = 0;
      for (const job of jobs) {
        if (await this.#isGone(job)) continue;
        await act(job);
        count += 1;
      }
      return count;
    });
  }

  async #isGone(job: EventJob): Promise<boolean> {
    return !(await job.isFailed());
  }

  /** Newest first. */
  async *#chosen({ ids, function: name }: DeadLetterChoice): AsyncGenerator<EventJob> {
    if (ids !== undefined) {
      for (const id of ids) {
        const job = await this.#job(id);
        if (job !== undefined) yield job;
      }
      return;
    }
    const { queue } = this.#options;
    for (let start = 0; ; start += PAGE) {
      const jobs = (await queue.getFailed(start, start + PAGE - 1)) as EventJob[];
      if (jobs.length === 0) return;
      for (const job of jobs) if (name === undefined || job.data.function === name) yield job;
    }
  }

  async #job(id: string): Promise<EventJob | undefined> {
    const job = await this.#options.queue.getJob(id);
    return job !== undefined && (await job.isFailed()) ? job : undefined;
  }
}
