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
  /** ISO 8601; not there when it has come to its end. */
  readonly nextAt?: string;
}

/** When functions are called by themselves. */
export interface Schedules {
  /** @throws ERR_CONFIG_INVALID when `schedule` of a configuration cannot hold. */
  check(config: FunctionConfig): void;
  /**
   * Makes the schedules of a function those of a version; a schedule that stays as it was keeps its next time.
   *
   * @throws ERR_QUEUE_UNAVAILABLE
   */
  apply(version: FunctionVersion): Promise<void>;
  /** Removes all schedules of a function. @throws ERR_QUEUE_UNAVAILABLE */
  remove(functionName: string): Promise<void>;
  /** By function and name. @throws ERR_QUEUE_UNAVAILABLE */
  list(): Promise<ScheduleRecord[]>;
}
