import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type CallLoad,
  fail,
  type FunctionDirectory,
  type HobError,
  isHobError,
  type QueueObserver,
} from '@hob/contracts';
import { type RedisTarget, WorkerClient } from '@hob/redis';
import { DelayedError, Queue, UnrecoverableError } from 'bullmq';
import type { Logger } from 'pino';
import { bullOptions } from './bull-options.ts';
import { backoffMs } from './backoff.ts';
import type { QueueConfig } from './config.ts';
import { Destinations } from './destinations.ts';
import type { EventEnd, EventRunner } from './event-runner.ts';
import type { EventJob } from './event-store.ts';
import { interrupted } from './invocation-record.ts';
import { EVENTS_QUEUE, type QueueKeys, queueKeys } from './redis-keys.ts';
import { QueueWorker } from './queue-worker.ts';
import { ScheduleWorker } from './schedule-worker.ts';
import { cutShort, SingleRuns } from './single-runs.ts';
import { SpareCapacity } from './spare-capacity.ts';
import type { Attempt, StoredEvent } from './stored-event.ts';
import { sendWebhook } from './webhook.ts';

export interface EventWorkerOptions {
  readonly redis: RedisTarget;
  readonly log: Logger;
  readonly config: QueueConfig;
  readonly runner: EventRunner;
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  readonly load: () => CallLoad;
  readonly observer: Pick<QueueObserver, 'attempted' | 'scheduled'>;
  /** What messages to URLs are signed with; without it they fail. */
  readonly webhookKey: Buffer | undefined;
}

/** An event whose worker is gone is tried again after this time and half of it, ms. */
const LOCK_MS = 15_000;
/** How often a worker may be lost in the middle of one event, before the event is a dead letter. */
const LOST_MAX = 10;
/** Pause before an event is tried again for which there was no container, ms. */
const NO_ROOM_PAUSE_MS = 500;
/** How long the end of the worker may take after its calls were ended, ms. */
const CLOSE_MS_MAX = 5_000;
/** How often a worker that closes looks whether functions still run, ms. */
const LOOK_MS = 50;

/** A failed attempt that another one will follow. */
class Again extends Error {
  readonly pauseMs: number;

  constructor(reason: string, pauseMs: number) {
    super(reason);
    this.pauseMs = pauseMs;
  }
}

/** An attempt after which there is none. */
class GivenUp extends UnrecoverableError {}

const NO_BYTES = new Uint8Array(0);

/**
 * Takes events from the queue and has them run. While Redis is away it waits for it; what it has begun goes on meanwhile.
 *
 * An attempt ends in one of these ways: the event is over (it succeeded, or was cancelled); it failed and comes back after a pause, or is
 * a dead letter when it was the last one; or it was none, because there was no container or hob stops: then it comes back and is not counted.
 */
export class EventWorker implements AsyncDisposable {
  readonly #options: EventWorkerOptions;
  readonly #redis: WorkerClient;
  readonly #keys: QueueKeys;
  readonly #subscriber: WorkerClient;
  readonly #worker: QueueWorker<StoredEvent, Attempt>;
  readonly #queue: Queue<StoredEvent, Attempt>;
  readonly #destinations: Destinations;
  readonly #schedules: ScheduleWorker;
  readonly #capacity: SpareCapacity;
  readonly #singleRuns: SingleRuns;
  readonly #running = new Map<string, AbortController>();
  #callsRunning = 0;
  #isClosing = false;

  constructor(options: EventWorkerOptions) {
    const { redis, log, config, load, directory, observer } = options;
    this.#options = options;
    const max = config.concurrency ?? availableParallelism();
    this.#capacity = new SpareCapacity({ max, load });
    this.#redis = new WorkerClient(redis, 'queue-worker', log);
    this.#subscriber = new WorkerClient(redis, 'queue-worker', log);
    this.#keys = queueKeys(redis);
    const { bullPrefix: prefix } = this.#keys;
    this.#subscriber.on('message', (_channel, id) => this.#running.get(id)?.abort());
    this.#subscriber.subscribe(this.#keys.cancelChannel).catch(() => undefined);
    this.#queue = new Queue(EVENTS_QUEUE, { connection: this.#redis, prefix, ...bullOptions });
    this.#queue.on('error', (error) => log.debug({ err: error }, 'a command of the queue worker failed'));
    const target = { redis: this.#redis, keys: this.#keys, queue: this.#queue, config };
    this.#singleRuns = new SingleRuns(target);
    this.#destinations = new Destinations({ target, directory });
    this.#schedules = new ScheduleWorker({ redis: this.#redis, target, directory, observer, log });
    this.#worker = new QueueWorker<StoredEvent, Attempt>(EVENTS_QUEUE, (job, token) => this.#attempt(job, token), {
      connection: this.#redis,
      prefix,
      concurrency: max,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS / 2,
      maxStalledCount: LOST_MAX,
      runRetryDelay: 1000,
      ...bullOptions,
      settings: { backoffStrategy: (_attempts, _type, error) => (error instanceof Again ? error.pauseMs : 0) },
    });
    this.#worker.on('error', (error) => log.debug({ err: error }, 'a command of the queue worker failed'));
    this.#worker.on('completed', (job) => {
      if (job.data.isBodyBeside) void this.#redis.del(this.#keys.body(job.id ?? '')).catch(() => undefined);
      this.#forgetRun(job);
    });
    this.#worker.on('failed', (job, error) => {
      if (job === undefined || error instanceof Again) return;
      this.#forgetRun(job);
      // BullMQ has given it up by itself: its workers were lost too often.
      if (error instanceof GivenUp) return;
      void this.#destinations.tell(job, 'dead', { error: interrupted(job) }).catch(() => undefined);
    });
  }

  /** Takes no more events, lets running ones end for up to `drainMs`, and puts what is left back into the queue. */
  async close(drainMs: number): Promise<void> {
    this.#isClosing = true;
    const patience = setTimeout(() => this.#abortAll(), drainMs);
    const closed = Promise.all([this.#worker.close().catch(() => undefined), this.#schedules.close()]);
    await Promise.race([closed, this.#allTold(drainMs)]);
    clearTimeout(patience);
    this.#worker.abandon();
    this.#schedules.abandon();
    this.#redis.disconnectAll();
    this.#subscriber.disconnectAll();
    this.#capacity[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  /**
   * No function runs for an event, and Redis had time to be told, if there is something to tell. Without Redis it cannot be: then those
   * events are tried again.
   */
  async #allTold(drainMs: number): Promise<void> {
    await this.#look(drainMs, () => this.#callsRunning === 0);
    await this.#look(CLOSE_MS_MAX, () => this.#running.size === 0 && this.#redis.status !== 'ready');
  }

  /** Waits until it is so, or the time is over. */
  async #look(msMax: number, isSo: () => boolean): Promise<void> {
    const endMs = performance.now() + msMax;
    while (!isSo() && performance.now() < endMs) await delay(LOOK_MS, undefined, { ref: false });
  }

  #forgetRun(job: EventJob): void {
    if (job.data.policy.isOnce) void this.#singleRuns.forget(job).catch(() => undefined);
  }

  #abortAll(): void {
    for (const controller of this.#running.values()) controller.abort();
  }

  /** Has a job processed, and tells how that ended. */
  async #attempt(job: EventJob, token: string | undefined): Promise<Attempt> {
    const { observer } = this.#options;
    try {
      const attempt = await this.#process(job, token);
      observer.attempted(attempt.isCancelled ? 'cancelled' : 'succeeded');
      return attempt;
    } catch (error) {
      observer.attempted(error instanceof DelayedError ? 'put-back' : error instanceof GivenUp ? 'dead' : 'failed');
      throw error;
    }
  }

  async #process(job: EventJob, token: string | undefined): Promise<Attempt> {
    const id = job.id ?? '';
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      if (await this.#isCancelled(id)) return { isCancelled: true };
      const { timestamp, data } = job;
      const isTooOld = Date.now() - (data.redrivenMs ?? timestamp) > data.policy.maxAgeMs;
      const end = isTooOld ? tooOld(data) : await this.#try(job, token, controller.signal);
      if (end === undefined || end.error?.code === 'ERR_CANCELLED') {
        if (await this.#isCancelled(id)) return { isCancelled: true, ...end?.attempt };
        // Aborted by the stop of hob. Otherwise its function was removed.
        if (end === undefined || this.#isClosing) return await putBack(job, token, 0);
      }
      if (end.error === undefined) {
        await this.#destinations.tell(job, 'succeeded', end.attempt);
        return end.attempt;
      }
      if (end.error.spec.kind === 'capacity') return await putBack(job, token, NO_ROOM_PAUSE_MS);
      return await this.#failed(job, end);
    } finally {
      this.#running.delete(id);
    }
  }

  /** @returns undefined when it was cancelled before it began. */
  async #try(job: EventJob, token: string | undefined, signal: AbortSignal): Promise<EventEnd | undefined> {
    const id = job.id ?? '';
    const place = await this.#capacity.take(signal).catch(() => undefined);
    if (place === undefined) return undefined;
    using _ = place;
    this.#callsRunning += 1;
    try {
      const body = await this.#bodyOf(id, job.data);
      if (job.data.webhook !== undefined) return await this.#send(id, { url: job.data.webhook, body }, signal);
      const call = { id, event: job.data, body, attempt: job.attemptsMade + 1, signal };
      const run = (): Promise<EventEnd> => this.#options.runner.run(call);
      if (!job.data.policy.isOnce) return await run();
      return await this.#singleRuns.only(job, token, async () => this.#onceOnly(await run()));
    } catch (error) {
      if (isHobError(error)) return unmade(error);
      throw error;
    } finally {
      this.#callsRunning -= 1;
    }
  }

  /** What would come back to be made again, of a call that may have reached its function, does not. */
  #onceOnly(end: EventEnd): EventEnd {
    const isCut = end.error?.spec.kind === 'capacity' || (this.#isClosing && end.error?.code === 'ERR_CANCELLED');
    return isCut && end.mayHaveRun ? cutShort(end.attempt) : end;
  }

  async #send(
    id: string,
    { url, body = NO_BYTES }: { readonly url: string; readonly body: Uint8Array | undefined },
    signal: AbortSignal,
  ): Promise<EventEnd> {
    await sendWebhook({ url, id, body }, this.#options.webhookKey, signal);
    return { attempt: {}, mayHaveRun: true };
  }

  async #failed(job: EventJob, { attempt, error, mayHaveRun }: EventEnd): Promise<never> {
    const { policy } = job.data;
    const failures = job.attemptsMade + 1;
    const pauseMs = backoffMs(policy, failures, Math.random());
    const code = error?.code ?? 'ERR_INTERNAL';
    const isLast = failures >= policy.maxAttempts || finalCodes.has(code) || (policy.isOnce === true && mayHaveRun);
    await job.updateProgress(isLast ? { ...attempt } : { ...attempt, nextAttemptMs: Date.now() + pauseMs });
    const reason = `${code}: ${error?.message ?? ''}`;
    if (!isLast) throw new Again(reason, pauseMs);
    const { function: name } = job.data;
    this.#options.log.warn({ id: job.id, function: name, code }, 'an event was given up and is a dead letter');
    await this.#destinations.tell(job, 'dead', attempt);
    throw new GivenUp(reason);
  }

  async #bodyOf(id: string, event: StoredEvent): Promise<Uint8Array | undefined> {
    if (!event.isBodyBeside) return event.body === undefined ? undefined : Buffer.from(event.body, 'base64');
    const body = await this.#redis.getBuffer(this.#keys.body(id));
    if (body === null) throw fail('ERR_EVENT_BODY_LOST', []);
    return body;
  }

  async #isCancelled(id: string): Promise<boolean> {
    return (await this.#redis.exists(this.#keys.cancel(id))) === 1;
  }
}

/** Whatever is tried again would fail in the same way. */
const finalCodes: ReadonlySet<string> = new Set([
  'ERR_EVENT_TOO_OLD',
  'ERR_EVENT_BODY_LOST',
  'ERR_FN_NOT_FOUND',
  'ERR_FN_VERSION_NOT_FOUND',
]);

function tooOld({ policy }: StoredEvent): EventEnd {
  return unmade(fail('ERR_EVENT_TOO_OLD', [policy.maxAgeMs]));
}

/** Nothing was called. */
function unmade(error: HobError): EventEnd {
  return { attempt: { error: { code: error.code, message: error.message } }, error, mayHaveRun: false };
}

/** The attempt was none. */
async function putBack(job: EventJob, token: string | undefined, pauseMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + pauseMs, token);
  throw new DelayedError();
}
