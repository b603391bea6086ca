import type { ScheduleCause, ScheduleRun } from '@hob/contracts';
import type { Redis } from 'ioredis';
import { CLOCKS_DIFFER_MS } from './clock-tolerance.ts';
import type { QueueKeys } from './redis-keys.ts';

/** How many are kept of each schedule. */
const RUNS_MAX = 10;

/** A call that a schedule has made, as it is noted. */
export interface NotedRun {
  /** Of the invocation. */
  readonly id: string;
  readonly cause: ScheduleCause;
  /** ms since the epoch. */
  readonly atMs: number;
}

/** The last calls of each schedule, by `<function>/<name>`. What became of them is in the queue of events, as far as it is kept there. */
export class ScheduleRuns {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;

  constructor(redis: Redis, keys: QueueKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** One that is noted already is not noted again. Those from before the clock was set back are forgotten, or this one would be taken for older. */
  async note(schedule: string, { id, cause, atMs }: NotedRun): Promise<void> {
    const key = this.#keys.runs(schedule);
    await Promise.all([
      this.#redis.zremrangebyscore(key, Math.max(atMs, Date.now()) + CLOCKS_DIFFER_MS, '+inf'),
      this.#redis.zadd(key, 'NX', atMs, `${cause} ${id}`),
      this.#redis.zremrangebyrank(key, 0, -1 - RUNS_MAX),
    ]);
  }

  /** Newest first. */
  async last(schedule: string): Promise<Pick<ScheduleRun, 'id' | 'cause' | 'at'>[]> {
    const flat = await this.#redis.zrevrange(this.#keys.runs(schedule), 0, -1, 'WITHSCORES');
    const runs = [];
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const [cause = '', id = ''] = (flat[at] ?? '').split(' ');
      runs.push({ id, cause: cause as ScheduleCause, at: new Date(Number(flat[at + 1])).toISOString() });
    }
    return runs;
  }

  async forget(schedule: string): Promise<void> {
    await this.#redis.del(this.#keys.runs(schedule));
  }
}
