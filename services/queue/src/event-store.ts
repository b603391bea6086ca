import { setTimeout as delay } from 'node:timers/promises';
import {
  type AsyncEvent,
  type AsyncInvocations,
  type DeadLetters,
  fail,
  type HobError,
  type InvocationRecord,
  isHobError,
  type QueueCounts,
  type QueueObserver,
} from '@hob/contracts';
import { RequestClient, type RedisTarget } from '@hob/redis';
import { type Job, Queue } from 'bullmq';
import type { Logger } from 'pino';
import { RedisQueueBoard } from './board/redis-queue-board.ts';
import { bullOptions } from './bull-options.ts';
import type { QueueConfig } from './config.ts';
import { QueueDeadLetters } from './dead-letters.ts';
import { bodyKeepS, enqueue, type EventTarget, MARGIN_S } from './enqueue.ts';
import { IdempotencyStore } from './idempotency-store.ts';
import { recordOf } from './invocation-record.ts';
import { EVENTS_QUEUE, type QueueKeys, queueKeys } from './redis-keys.ts';
import { ScheduleStore } from './schedule-store.ts';
import type { Attempt, StoredEvent } from './stored-event.ts';
import { promoteStuck } from './stuck-events.ts';

export type EventJob = Job<StoredEvent, Attempt>;

export interface EventStoreOptions {
  readonly redis: RedisTarget;
  readonly log: Logger;
  readonly config: QueueConfig;
  /** Told which keys come again, and how fast Redis is. */
  readonly observer?: Pick<QueueObserver, 'keyHit' | 'redisAnswered'>;
}

const CONNECT_MS_MAX = 10_000;
const CLOSE_MS_MAX = 1000;
/** How often Redis is asked for its size and timed, and old records are removed, ms. */
const MEMORY_EVERY_MS = 1000;
const CLEAN_EVERY_MS = 60_000;
/** How often it is looked for times that cannot be right, ms. */
const UNSTICK_EVERY_MS = 5000;
const CLEANED_MAX = 10_000;

/**
 * The events in Redis, as those see them who wait for an answer: each command ends within seconds, or fails. It runs none: a process that
 * only accepts events needs nothing else.
 */
export class EventStore implements AsyncInvocations, AsyncDisposable {
  readonly bodyBytesMax: number;
  readonly deadLetters: DeadLetters;
  readonly keys: IdempotencyStore;
  readonly schedules: ScheduleStore;
  readonly board: RedisQueueBoard;
  readonly #redis: RequestClient;
  readonly #keys: QueueKeys;
  readonly #queue: Queue<StoredEvent, Attempt>;
  readonly #config: QueueConfig;
  readonly #log: Logger;
  readonly #observer: EventStoreOptions['observer'];
  readonly #target: EventTarget;
  readonly #timers: readonly NodeJS.Timeout[];
  #usedBytes = 0;

  constructor({ redis, log, config, observer }: EventStoreOptions) {
    this.#observer = observer;
    this.#config = config;
    this.bodyBytesMax = config.bodyBytesMax;
    this.#log = log;
    this.#redis = new RequestClient(redis, 'queue', log);
    this.#keys = queueKeys(redis);
    this.#queue = new Queue(EVENTS_QUEUE, {
      connection: this.#redis,
      prefix: this.#keys.bullPrefix,
      skipWaitingForReady: true,
      ...bullOptions,
    });
    this.#target = { redis: this.#redis, keys: this.#keys, queue: this.#queue, config };
    this.#queue.on('error', (error) => log.debug({ err: error }, 'a queue command failed'));
    this.deadLetters = new QueueDeadLetters({
      queue: this.#queue,
      redis: this.#redis,
      keys: this.#keys,
      ask: (commands) => this.#ask(commands),
      bodyKeepS: ({ policy }) => bodyKeepS(policy, config),
    });
    this.keys = new IdempotencyStore({
      redis: this.#redis,
      keys: this.#keys,
      ask: (commands) => this.#ask(commands),
      keepMs: config.idempotencyKeepMs,
      hit: (hit) => observer?.keyHit(hit),
    });
    this.schedules = new ScheduleStore({
      redis: this.#redis,
      keys: this.#keys,
      log,
      ask: (commands) => this.#ask(commands),
      events: this,
    });
    this.board = new RedisQueueBoard({ redis: this.#redis, keys: this.#keys, ask: (commands) => this.#ask(commands) });
    this.#redis.on('ready', () => this.#measure());
    this.#timers = [
      setInterval(() => this.#measure(), MEMORY_EVERY_MS).unref(),
      setInterval(() => void this.#clean(), CLEAN_EVERY_MS).unref(),
      setInterval(() => void this.#unstick(), UNSTICK_EVERY_MS).unref(),
    ];
  }

  /** Whether there is a connection, and the server has answered on it within two seconds. */
  get available(): boolean {
    return this.#redis.isAnswering;
  }

  /** See AsyncInvocations.submit. */
  async submit(event: AsyncEvent): Promise<void> {
    const { redisBytesMax } = this.#config;
    if (this.#usedBytes > redisBytesMax) throw fail('ERR_QUEUE_FULL', [redisBytesMax]);
    await this.#ask(() => enqueue(this.#target, event));
    // Until Redis tells its size again.
    this.#usedBytes += (event.body?.byteLength ?? 0) + 4096;
  }

  /** See AsyncInvocations.read. */
  read(id: string): Promise<InvocationRecord | undefined> {
    return this.#ask(async () => {
      // The state first: what the job says of a state was written before or with it.
      const [state, isCancelled] = await Promise.all([
        this.#queue.getJobState(id),
        this.#redis.exists(this.#keys.cancel(id)),
      ]);
      const job = await this.#queue.getJob(id);
      if (job === undefined || state === 'unknown') return undefined;
      return recordOf(job, state, isCancelled === 1);
    });
  }

  async counts(): Promise<QueueCounts | undefined> {
    try {
      const [counts, [oldest], schedules] = await Promise.all([
        this.#queue.getJobCounts('waiting', 'active', 'delayed', 'failed'),
        this.#queue.getJobs(['waiting'], 0, 0, true),
        this.schedules.counts(),
      ]);
      const { waiting = 0, active = 0, delayed = 0, failed = 0 } = counts;
      const oldestAgeMs = oldest === undefined ? 0 : Math.max(0, Date.now() - oldest.timestamp);
      return { waiting, running: active, failed: delayed, dead: failed, oldestAgeMs, schedules };
    } catch {
      return undefined;
    }
  }

  /** See AsyncInvocations.cancel. */
  cancel(id: string): Promise<boolean> {
    return this.#ask(async () => {
      const job = await this.#queue.getJob(id);
      const state = await job?.getState();
      if (job === undefined || state === 'completed' || state === 'failed' || state === 'unknown') return false;
      const keepS = Math.ceil(job.data.policy.maxAgeMs / 1000) + MARGIN_S;
      await this.#redis.set(this.#keys.cancel(id), '1', 'EX', keepS);
      await this.#redis.publish(this.#keys.cancelChannel, id);
      // It need not wait for its time to be told that there is none. A job that has just begun cannot be promoted.
      if (state === 'delayed') await job.promote().catch(() => undefined);
      return true;
    });
  }

  /** Waits for the first connection, for up to 10 s: attempts that fail meanwhile are made again. */
  connected(): Promise<void> {
    return this.#redis.untilReady(CONNECT_MS_MAX);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.keys[Symbol.dispose]();
    const closing = [
      this.schedules.close(),
      this.board[Symbol.asyncDispose](),
      this.#queue.close().catch(() => undefined),
    ];
    const closed = Promise.all(closing);
    // Without Redis they would wait for it.
    await Promise.race([closed, delay(CLOSE_MS_MAX, undefined, { ref: false })]);
    this.#redis.disconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask<T>(commands: () => Promise<T>): Promise<T> {
    try {
      return await this.#redis.follow(commands);
    } catch (cause) {
      throw isHobError(cause) ? cause : unavailable(cause);
    }
  }

  #measure(): void {
    const startMs = performance.now();
    void this.#redis
      .info('memory')
      .then((info) => {
        this.#observer?.redisAnswered(performance.now() - startMs);
        this.#usedBytes = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
      })
      .catch(() => undefined);
  }

  /** After the clock was set back, what was to come soon would come as much later. */
  async #unstick(): Promise<void> {
    try {
      const events = await promoteStuck(this.#queue, this.#redis);
      const schedules = await this.schedules.beginStuck();
      if (events + schedules > 0)
        this.#log.warn({ events, schedules }, 'the clock was set back; what waited is due now');
    } catch (error) {
      this.#log.debug({ err: error }, 'times could not be looked at; they are looked at again');
    }
  }

  async #clean(): Promise<void> {
    const { resultKeepMs, deadKeepMs } = this.#config;
    try {
      await this.#queue.clean(resultKeepMs, CLEANED_MAX, 'completed');
      await this.#queue.clean(deadKeepMs, CLEANED_MAX, 'failed');
    } catch (error) {
      this.#log.debug({ err: error }, 'old events could not be removed; they are tried again');
    }
  }
}

function unavailable(cause: unknown): HobError {
  return fail('ERR_QUEUE_UNAVAILABLE', [cause instanceof Error ? cause.message : String(cause)], { cause });
}
