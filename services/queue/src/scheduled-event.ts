import { asyncPolicy, type FunctionVersion } from '@hob/contracts';
import type { ScheduleEntry } from './schedule-plan.ts';
import type { NewEvent } from './stored-event.ts';

/**
 * The event that a schedule makes: a call of whatever version is live when it is tried, as the entry says.
 *
 * @param live the version whose `async` it gets.
 */
export function scheduledEvent(id: string, { name, config }: FunctionVersion, entry: ScheduleEntry): NewEvent {
  const { method = 'POST', path = '/' } = entry;
  const body = entry.body === undefined ? undefined : Buffer.from(entry.body);
  const length = body === undefined ? [] : ['content-length', String(body.byteLength)];
  const headers = ['content-type', 'application/json', 'hob-schedule', entry.name, ...length];
  const policy = asyncPolicy(config);
  return { id, function: name, version: undefined, policy, method, url: `http://${name}${path}`, headers, body };
}
