import type { ScheduleRecord } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/** Adds `hob schedule`. */
export function addSchedule(program: Command, tools: Tools): void {
  const group = program
    .command('schedule')
    .description('When functions are called by themselves: "schedule" in hob.json.');
  const list = group
    .command('ls')
    .description('List schedules and when each comes next.')
    .action(({ json }: { json?: true }) => listSchedules(tools, json === true));
  complete(list, [
    ['hob schedule ls', 'function, name, when, next time'],
    ["hob schedule ls --json | jq -r '.[].nextAt'", 'next times only'],
  ]);
}

async function listSchedules(tools: Tools, json: boolean): Promise<void> {
  const client = await tools.client();
  const schedules = (await client.json({ method: 'GET', path: '/v1/schedules' })) as ScheduleRecord[];
  if (json) return tools.terminal.json(schedules);
  if (schedules.length === 0) return tools.terminal.note('no schedules: "schedule" in hob.json makes them');
  const rows = schedules.map((one) => [one.function, one.name, whenOf(one), one.nextAt ?? '-']);
  return tools.terminal.result(table(['FUNCTION', 'NAME', 'WHEN', 'NEXT'], rows));
}

function whenOf({ cron, timezone = 'UTC', everyMs, at }: ScheduleRecord): string {
  if (cron !== undefined) return `${cron} (${timezone})`;
  return everyMs === undefined ? `once, ${at ?? ''}` : `every ${everyMs} ms`;
}
