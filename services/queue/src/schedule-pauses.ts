import type { Redis } from 'ioredis';
import { CLOCKS_DIFFER_MS } from './clock-tolerance.ts';
import type { QueueKeys } from './redis-keys.ts';

/** How late a time may come up that a schedule was paused at, s. */
const LATE_S_MAX = 86_400;

/**
 * Which schedules are paused, by `<function>/<name>`, for every hob on one Redis. A pause belongs to the name: it outlives restarts, deploys
 * that change the schedule, and versions without it, and ends when it is resumed or its function removed.
 *
 * The times of a paused schedule come up all the same; whoever takes one up asks here and leaves it at that.
 */
export class SchedulePauses {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;

  constructor(redis: Redis, keys: QueueKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** All, with when they were paused, ms since the epoch. */
  async all(): Promise<ReadonlyMap<string, number>> {
    const since = await this.#redis.hgetall(this.#keys.pausedSchedules);
    return new Map(Object.entries(since).map(([schedule, ms]) => [schedule, Number(ms)]));
  }

  /** One that is paused already stays as it is. */
  async pause(schedule: string): Promise<void> {
    await this.#redis.hsetnx(this.#keys.pausedSchedules, schedule, Date.now());
  }

  async resume(schedule: string): Promise<void> {
    if ((await this.#redis.hexists(this.#keys.pausedSchedules, schedule)) === 0) return;
    // In this order: between the two it is still paused.
    await this.#redis.set(this.#keys.resumed(schedule), Date.now(), 'EX', LATE_S_MAX);
    await this.#redis.hdel(this.#keys.pausedSchedules, schedule);
  }

  /**
   * Whether a time makes no call: the schedule is paused, or was at that time. When the clock was set back after it was resumed, the times
   * that come are later than that, whatever they are called.
   */
  async covers(schedule: string, dueMs: number): Promise<boolean> {
    const [pausedMs, resumedMs] = await Promise.all([
      this.#redis.hget(this.#keys.pausedSchedules, schedule),
      this.#redis.get(this.#keys.resumed(schedule)),
    ]);
    if (pausedMs !== null) return true;
    return dueMs <= Number(resumedMs ?? 0) && Number(resumedMs) <= Date.now() + CLOCKS_DIFFER_MS;
  }

  /** Those of these schedules that are paused. */
  async among(schedules: readonly string[]): Promise<number> {
    const paused = new Set(await this.#redis.hkeys(this.#keys.pausedSchedules));
    return schedules.filter((schedule) => paused.has(schedule)).length;
  }

  /** Nothing is paused any more of a function. */
  async forget(functionName: string): Promise<void> {
    const fields = await this.#redis.hkeys(this.#keys.pausedSchedules);
    const ours = fields.filter((schedule) => schedule.startsWith(`${functionName}/`));
    if (ours.length > 0) await this.#redis.hdel(this.#keys.pausedSchedules, ...ours);
  }
}
