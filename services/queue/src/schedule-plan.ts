import { fail, type FunctionConfig } from '@hob/contracts';
import type { JobSchedulerJson, RepeatOptions } from 'bullmq';
import { CronExpressionParser } from 'cron-parser';

/** One entry of `schedule` in hob.json. */
export type ScheduleEntry = NonNullable<FunctionConfig['schedule']>[number];

/** What a scheduler's job says. */
export interface Tick {
  readonly function: string;
  readonly entry: ScheduleEntry;
}

/** What a schedule is known by in Redis. Neither name has a slash. */
export function scheduleKey(functionName: string, schedule: string): string {
  return `${functionName}/${schedule}`;
}

/** When BullMQ makes the jobs of an entry. */
export function repetition(entry: ScheduleEntry): Omit<RepeatOptions, 'key'> {
  const { cron, timezone, everyMs, at } = entry;
  if (cron !== undefined) return { pattern: cron, tz: timezone ?? 'UTC' };
  if (everyMs !== undefined) return { every: everyMs };
  // Once, in the first second that is not before it.
  return {
    pattern: '* * * * * *',
    tz: 'UTC',
    limit: 1,
    startDate: Math.ceil(Date.parse(at ?? '') / 1000) * 1000 - 1000,
  };
}

/** Whether a scheduler is what an entry asks for. */
export function isCurrent({ template }: JobSchedulerJson<Tick>, entry: ScheduleEntry): boolean {
  return JSON.stringify(template?.data?.entry) === JSON.stringify(entry);
}

/** Whether the next time of a scheduler with a fixed rate is further away than it can be, with a rate more for the time that it takes. */
export function isStuck({ every, next }: JobSchedulerJson<Tick>, nowMs: number): boolean {
  return every !== undefined && next !== undefined && next - nowMs > 2 * every;
}

/** Whether an entry's one time has passed. */
export function isPast({ at }: ScheduleEntry, nowMs: number): boolean {
  return at !== undefined && Date.parse(at) <= nowMs;
}

/**
 * The times of an entry.
 *
 * @param firstMs the first one, ms since the epoch.
 * @param count how many, at most.
 */
export function timesFrom({ cron, timezone, everyMs }: ScheduleEntry, firstMs: number, count: number): Date[] {
  const times = [new Date(firstMs)];
  const later = cron === undefined ? undefined : CronExpressionParser.parse(cron, cronOptions(timezone, firstMs));
  while (times.length < count) {
    if (later?.hasNext()) times.push(later.next().toDate());
    else if (everyMs !== undefined) times.push(new Date(firstMs + times.length * everyMs));
    else break;
  }
  return times;
}

function cronOptions(timezone: string | undefined, nowMs: number) {
  return { tz: timezone ?? 'UTC', currentDate: new Date(nowMs) };
}

/** @throws ERR_CONFIG_INVALID for the first entry that cannot hold. */
export function checkSchedule(entries: readonly ScheduleEntry[]): void {
  const names = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const problem = names.has(entry.name) ? 'has the name of another one' : problemOf(entry);
    if (problem !== undefined) throw fail('ERR_CONFIG_INVALID', [`schedule[${index}]`, problem]);
    names.add(entry.name);
  }
}

function problemOf({ cron, timezone, everyMs, at }: ScheduleEntry): string | undefined {
  if ([cron, everyMs, at].filter((when) => when !== undefined).length !== 1) return 'needs one of cron, everyMs and at';
  if (timezone !== undefined && cron === undefined) return 'has a timezone, which belongs to cron';
  if (at !== undefined) return Number.isNaN(Date.parse(at)) ? `at is no time: "${at}"` : undefined;
  if (cron === undefined) return undefined;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone ?? 'UTC' }).format();
  } catch {
    return `"${timezone}" is no time zone`;
  }
  try {
    CronExpressionParser.parse(cron, { tz: timezone ?? 'UTC' }).next();
  } catch (error) {
    return `"${cron}" is no cron expression: ${error instanceof Error ? error.message : String(error)}`;
  }
  return undefined;
}
