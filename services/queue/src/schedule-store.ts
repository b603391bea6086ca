import type { FunctionConfig, FunctionVersion, ScheduleRecord, Schedules } from '@hob/contracts';
import { type JobSchedulerJson, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { bullOptions } from './bull-options.ts';
import { type QueueKeys, SCHEDULES_QUEUE } from './redis-keys.ts';
import { checkSchedule, isCurrent, isPast, isStuck, repetition, type Tick } from './schedule-plan.ts';

export interface ScheduleStoreOptions {
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly log: Logger;
  /** Runs commands; their failure is ERR_QUEUE_UNAVAILABLE. */
  readonly ask: <T>(commands: () => Promise<T>) => Promise<T>;
}

/** The schedules in Redis: a job scheduler of BullMQ for each, by `<function>/<name>`. */
export class ScheduleStore implements Schedules {
  readonly #ask: ScheduleStoreOptions['ask'];
  readonly #queue: Queue<Tick>;

  constructor({ redis, keys, log, ask }: ScheduleStoreOptions) {
    this.#ask = ask;
    const options = { prefix: keys.bullPrefix, skipWaitingForReady: true, ...bullOptions };
    this.#queue = new Queue(SCHEDULES_QUEUE, { connection: redis, ...options });
    this.#queue.on('error', (error) => log.debug({ err: error }, 'a queue command failed'));
  }

  check(config: FunctionConfig): void {
    checkSchedule(config.schedule ?? []);
  }

  apply({ name, config }: FunctionVersion): Promise<void> {
    return this.#ask(async () => {
      const there = new Map((await this.#of(name)).map((scheduler) => [scheduler.key, scheduler]));
      for (const entry of config.schedule ?? []) {
        const key = `${name}/${entry.name}`;
        const before = there.get(key);
        there.delete(key);
        if (before !== undefined && isCurrent(before, entry)) continue;
        if (isPast(entry, Date.now())) continue;
        // In place of what it was, or the rest of that would count for the new one.
        if (before !== undefined) await this.#queue.removeJobScheduler(key);
        await this.#begin({ function: name, entry });
      }
      for (const key of there.keys()) await this.#queue.removeJobScheduler(key);
    });
  }

  remove(functionName: string): Promise<void> {
    return this.#ask(async () => {
      for (const { key } of await this.#of(functionName)) await this.#queue.removeJobScheduler(key);
    });
  }

  list(): Promise<ScheduleRecord[]> {
    return this.#ask(async () => {
      const schedulers = (await this.#all()).toSorted((a, b) => (a.key < b.key ? -1 : 1));
      return schedulers.flatMap((scheduler) => recordOf(scheduler) ?? []);
    });
  }

  /** Makes the schedules those of all functions that there are. @throws ERR_QUEUE_UNAVAILABLE */
  async reconcile(live: readonly FunctionVersion[]): Promise<void> {
    const names = new Set(live.map(({ name }) => name));
    for (const { key } of await this.#ask(() => this.#all())) {
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
    await this.#queue.upsertJobScheduler(`${tick.function}/${tick.entry.name}`, repetition(tick.entry), {
      name: 'tick',
      data: tick,
      opts: { removeOnComplete: true, removeOnFail: true, attempts: 100, backoff: 1000 },
    });
  }

  async #of(functionName: string): Promise<JobSchedulerJson<Tick>[]> {
    return (await this.#all()).filter(({ key }) => key.startsWith(`${functionName}/`));
  }

  #all(): Promise<JobSchedulerJson<Tick>[]> {
    return this.#queue.getJobSchedulers(0, -1, true);
  }
}

function recordOf({ template, next }: JobSchedulerJson<Tick>): ScheduleRecord | undefined {
  if (template?.data === undefined) return undefined;
  const { function: name, entry } = template.data;
  const { method = 'POST', path = '/', body: _, ...when } = entry;
  const isOver = next === undefined || isPast(entry, Date.now());
  return { function: name, ...when, method, path, ...(!isOver && { nextAt: new Date(next).toISOString() }) };
}
