import { randomUUID } from 'node:crypto';
import {
  type AsyncInvocations,
  fail,
  type FunctionConfig,
  type FunctionVersion,
  type ScheduleCounts,
  type ScheduleDetail,
  type ScheduleRecord,
  type ScheduleRun,
  type Schedules,
} from '@hob/contracts';
import { type JobSchedulerJson, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { bullOptions } from './bull-options.ts';
import { type QueueKeys, SCHEDULES_QUEUE } from './redis-keys.ts';
import { SchedulePauses } from './schedule-pauses.ts';
import {
  checkSchedule,
  isCurrent,
  isPast,
  isStuck,
  repetition,
  scheduleKey,
  type Tick,
  timesFrom,
} from './schedule-plan.ts';
import { ScheduleRuns } from './schedule-runs.ts';
import { scheduledEvent } from './scheduled-event.ts';

export interface ScheduleStoreOptions {
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly log: Logger;
  /** Runs commands; their failure is ERR_QUEUE_UNAVAILABLE. */
  readonly ask: <T>(commands: () => Promise<T>) => Promise<T>;
  /** Where the calls go. */
  readonly events: Pick<AsyncInvocations, 'submit' | 'read'>;
}

/** How many of the next times are told. */
const TIMES_MAX = 5;
/** A time that has passed for so long will not be taken up as one that comes, ms. */
const LATE_MS_MAX = 60_000;

/** The schedules in Redis: a job scheduler of BullMQ for each, by `<function>/<name>`. */
export class ScheduleStore implements Schedules {
  readonly #options: ScheduleStoreOptions;
  readonly #queue: Queue<Tick>;
  readonly #pauses: SchedulePauses;
  readonly #runs: ScheduleRuns;

  constructor(options: ScheduleStoreOptions) {
    const { redis, keys, log } = options;
    this.#options = options;
    this.#pauses = new SchedulePauses(redis, keys);
    this.#runs = new ScheduleRuns(redis, keys);
    const queueOptions = { prefix: keys.bullPrefix, skipWaitingForReady: true, ...bullOptions };
    this.#queue = new Queue(SCHEDULES_QUEUE, { connection: redis, ...queueOptions });
    this.#queue.on('error', (error) => log.debug({ err: error }, 'a queue command failed'));
  }

  check(config: FunctionConfig): void {
    checkSchedule(config.schedule ?? []);
  }

  apply({ name, config }: FunctionVersion): Promise<void> {
    return this.#options.ask(async () => {
      const there = new Map((await this.#of(name)).map((scheduler) => [scheduler.key, scheduler]));
      for (const entry of config.schedule ?? []) {
        const key = scheduleKey(name, entry.name);
        const before = there.get(key);
        there.delete(key);
        if (before !== undefined && isCurrent(before, entry)) continue;
        if (isPast(entry, Date.now())) continue;
        // In place of what it was, or the rest of that would count for the new one.
        if (before !== undefined) await this.#queue.removeJobScheduler(key);
        await this.#begin({ function: name, entry });
      }
      for (const key of there.keys()) await this.#end(key);
    });
  }

  remove(functionName: string): Promise<void> {
    return this.#options.ask(async () => {
      for (const { key } of await this.#of(functionName)) await this.#end(key);
      await this.#pauses.forget(functionName);
    });
  }

  list(): Promise<ScheduleRecord[]> {
    return this.#options.ask(async () => {
      const [schedulers, pauses] = await Promise.all([this.#all(), this.#pauses.all()]);
      const sorted = schedulers.toSorted((a, b) => (a.key < b.key ? -1 : 1));
      return sorted.flatMap((scheduler) => recordOf(scheduler, pauses.get(scheduler.key)) ?? []);
    });
  }

  /** See Schedules.read. */
  async read(functionName: string, schedule: string): Promise<ScheduleDetail> {
    const { record, entry } = await this.#one(functionName, schedule);
    const runs = await this.#options.ask(() => this.#runs.last(scheduleKey(functionName, schedule)));
    const nextTimes = record.nextAt === undefined ? [] : timesFrom(entry, Date.parse(record.nextAt), TIMES_MAX);
    return {
      ...record,
      nextTimes: nextTimes.map((time) => time.toISOString()),
      runs: await Promise.all(runs.map((run) => this.#withOutcome(run))),
    };
  }

  /** See Schedules.run. */
  async run(live: FunctionVersion, schedule: string): Promise<string> {
    const { ask, events, log } = this.#options;
    const { entry } = await this.#one(live.name, schedule);
    const id = randomUUID();
    await events.submit(scheduledEvent(id, live, entry));
    const run = { id, cause: 'operator', atMs: Date.now() } as const;
    await ask(() => this.#runs.note(scheduleKey(live.name, schedule), run)).catch((error: unknown) => {
      // The call will be made: who asked for it must not ask again.
      log.warn({ function: live.name, schedule, id, err: error }, 'a call of a schedule could not be noted');
    });
    return id;
  }

  /** See Schedules.pause. */
  pause(functionName: string, schedule: string): Promise<ScheduleRecord> {
    return this.#change(functionName, schedule, (key) => this.#pauses.pause(key));
  }

  /** See Schedules.resume. */
  resume(functionName: string, schedule: string): Promise<ScheduleRecord> {
    return this.#change(functionName, schedule, (key) => this.#pauses.resume(key));
  }

  /** Those with a time to come, paused or not. Rejects while Redis does not answer. */
  async counts(): Promise<ScheduleCounts> {
    const { redis } = this.#options;
    const keys = await redis.zrangebyscore(this.#queue.toKey('repeat'), Date.now() - LATE_MS_MAX, '+inf');
    const paused = await this.#pauses.among(keys);
    return { active: keys.length - paused, paused };
  }

  /** Makes the schedules those of all functions that there are. @throws ERR_QUEUE_UNAVAILABLE */
  async reconcile(live: readonly FunctionVersion[]): Promise<void> {
    const names = new Set(live.map(({ name }) => name));
    const { ask } = this.#options;
    const [schedulers, pauses] = await ask(() => Promise.all([this.#all(), this.#pauses.all()]));
    for (const key of [...schedulers.map((scheduler) => scheduler.key), ...pauses.keys()]) {
      const [name = ''] = key.split('/');
      if (!names.has(name)) await this.remove(name);
    }
    for (const version of live) await this.apply(version);
  }

  /**
   * Begins those anew whose next time is further away than their rate: the clock was set back.
   *
   * @returns how many there were.
   */
  async beginStuck(): Promise<number> {
    const stuck = (await this.#all()).filter((scheduler) => isStuck(scheduler, Date.now()));
    for (const { key, template } of stuck) {
      if (template?.data === undefined) continue;
      await this.#queue.removeJobScheduler(key);
      await this.#begin(template.data);
    }
    return stuck.length;
  }

  async close(): Promise<void> {
    await this.#queue.close().catch(() => undefined);
  }

  async #begin(tick: Tick): Promise<void> {
    await this.#queue.upsertJobScheduler(scheduleKey(tick.function, tick.entry.name), repetition(tick.entry), {
      name: 'tick',
      data: tick,
      opts: { removeOnComplete: true, removeOnFail: true, attempts: 100, backoff: 1000 },
    });
  }

  async #change(
    functionName: string,
    schedule: string,
    change: (key: string) => Promise<void>,
  ): Promise<ScheduleRecord> {
    await this.#one(functionName, schedule);
    await this.#options.ask(() => change(scheduleKey(functionName, schedule)));
    return (await this.#one(functionName, schedule)).record;
  }

  async #one(functionName: string, schedule: string) {
    const key = scheduleKey(functionName, schedule);
    const { ask } = this.#options;
    const [scheduler, pauses] = await ask(() => Promise.all([this.#queue.getJobScheduler(key), this.#pauses.all()]));
    const record = scheduler === undefined ? undefined : recordOf(scheduler, pauses.get(key));
    const entry = scheduler?.template?.data?.entry;
    // Names that are none could lead to another key of the queue.
    if (record === undefined || entry?.name !== schedule || record.function !== functionName)
      throw fail('ERR_SCHEDULE_NOT_FOUND', [functionName, schedule]);
    return { record, entry };
  }

  async #withOutcome(run: ScheduleRun): Promise<ScheduleRun> {
    const found = await this.#options.events.read(run.id);
    if (found === undefined) return run;
    const { status, attempts, endedAt, error } = found;
    return {
      ...run,
      status,
      attempts,
      ...(endedAt !== undefined && { endedAt }),
      ...(error !== undefined && { error }),
    };
  }

  async #end(key: string): Promise<void> {
    await this.#queue.removeJobScheduler(key);
    await this.#runs.forget(key);
  }

  async #of(functionName: string): Promise<JobSchedulerJson<Tick>[]> {
    return (await this.#all()).filter(({ key }) => key.startsWith(`${functionName}/`));
  }

  #all(): Promise<JobSchedulerJson<Tick>[]> {
    return this.#queue.getJobSchedulers(0, -1, true);
  }
}

/** @param pausedMs since when it is paused, ms since the epoch; undefined when it is not. */
function recordOf(
  { template, next }: JobSchedulerJson<Tick>,
  pausedMs: number | undefined,
): ScheduleRecord | undefined {
  if (template?.data === undefined) return undefined;
  const { function: name, entry } = template.data;
  const { method = 'POST', path = '/', body: _, ...when } = entry;
  const isOver = next === undefined || isPast(entry, Date.now());
  return {
    function: name,
    ...when,
    method,
    path,
    ...(!isOver && pausedMs === undefined && { nextAt: new Date(next).toISOString() }),
    ...(pausedMs !== undefined && { pausedAt: new Date(pausedMs).toISOString() }),
  };
}
