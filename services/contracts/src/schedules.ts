import type { InvocationRecord } from './async-invocations.ts';
import type { FunctionConfig } from './function-config.ts';
import type { FunctionVersion } from './version.ts';

/** One schedule as it is in force. */
export interface ScheduleRecord {
  readonly function: string;
  readonly name: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly everyMs?: number;
  readonly at?: string;
  readonly method: string;
  readonly path: string;
  /** ISO 8601; not there when it has come to its end, or is paused. */
  readonly nextAt?: string;
  /** Since when it makes no calls, ISO 8601; not there when it is not paused. */
  readonly pausedAt?: string;
}

/** How a schedule came to make a call: its time had come, or an operator asked for it. */
export const scheduleCauses = ['time', 'operator'] as const;
export type ScheduleCause = (typeof scheduleCauses)[number];

/** A call that a schedule has made. */
export interface ScheduleRun extends Partial<Pick<InvocationRecord, 'status' | 'attempts' | 'endedAt' | 'error'>> {
  /** Of the invocation, of which nothing else is said when nothing is kept of it any more. */
  readonly id: string;
  readonly cause: ScheduleCause;
  /** The time that it was made for, or when an operator asked for it: ISO 8601. */
  readonly at: string;
}

/** All that is known of one schedule. */
export interface ScheduleDetail extends ScheduleRecord {
  /** The next few times, ISO 8601; none when it is paused or has come to its end. */
  readonly nextTimes: readonly string[];
  /** The last few calls, newest first. */
  readonly runs: readonly ScheduleRun[];
}

/** When functions are called by themselves. */
export interface Schedules {
  /** @throws ERR_CONFIG_INVALID when `schedule` of a configuration cannot hold. */
  check(config: FunctionConfig): void;
  /**
   * Makes the schedules of a function those of a version; a schedule that stays as it was keeps its next time, and a paused one stays
   * paused, whatever it is now.
   *
   * @throws ERR_QUEUE_UNAVAILABLE
   */
  apply(version: FunctionVersion): Promise<void>;
  /** Removes all schedules of a function, and what was paused of them. @throws ERR_QUEUE_UNAVAILABLE */
  remove(functionName: string): Promise<void>;
  /** By function and name. @throws ERR_QUEUE_UNAVAILABLE */
  list(): Promise<ScheduleRecord[]>;
  /** @throws ERR_SCHEDULE_NOT_FOUND, ERR_QUEUE_UNAVAILABLE */
  read(functionName: string, schedule: string): Promise<ScheduleDetail>;
  /**
   * Makes the call of a schedule now, also of one that is paused. Its times stay as they are.
   *
   * @param live the version that the function's schedules are those of.
   * @returns the invocation's id; Redis has its event.
   * @throws ERR_SCHEDULE_NOT_FOUND, ERR_QUEUE_UNAVAILABLE, ERR_QUEUE_FULL
   */
  run(live: FunctionVersion, schedule: string): Promise<string>;
  /**
   * From now on its times make no calls. It changes nothing when it is paused already.
   *
   * @throws ERR_SCHEDULE_NOT_FOUND, ERR_QUEUE_UNAVAILABLE
   */
  pause(functionName: string, schedule: string): Promise<ScheduleRecord>;
  /**
   * Its times make calls again, the first one being the next to come: those that have passed make none.
   *
   * @throws ERR_SCHEDULE_NOT_FOUND, ERR_QUEUE_UNAVAILABLE
   */
  resume(functionName: string, schedule: string): Promise<ScheduleRecord>;
}
