import type { ScheduleDetail, ScheduleRecord, ScheduleRun } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionName, scheduleName } from './target.ts';

interface Options {
  readonly json?: true;
}

/** A schedule as it was named on the command line, and checked. */
interface Target {
  readonly label: string;
  readonly path: string;
}

/** Adds `hob schedule`. */
export function addSchedule(program: Command, tools: Tools): void {
  const group = program
    .command('schedule')
    .description('When functions are called by themselves: "schedule" in hob.json.');
  const list = group
    .command('ls')
    .description('List schedules and when each comes next.')
    .action(({ json }: Options) => listSchedules(tools, json === true));
  complete(list, [
    ['hob schedule ls', 'function, name, when, next time'],
    ["hob schedule ls --json | jq -r '.[].nextAt'", 'next times only'],
  ]);
  const show = named(group, 'show', 'Show one schedule: its next times, and what became of its last calls.');
  show.action((of: string, name: string, options: Options) => showSchedule(tools, target(of, name), options));
  complete(show, [
    ['hob schedule show mail nightly', 'all that is known of it'],
    ["hob schedule show mail nightly --json | jq -r '.runs[0].status'", 'how its last call ended'],
  ]);
  const run = named(group, 'run', 'Make the call of a schedule now, asynchronously; its times stay as they are.');
  run.action((of: string, name: string, options: Options) => runSchedule(tools, target(of, name), options));
  complete(run, [
    ['hob schedule run mail nightly', 'prints the id of the call'],
    ['hob invocation "$(hob schedule run mail nightly)" --wait', 'waits for its end'],
  ]);
  addSwitch(group, tools, {
    act: 'pause',
    description: 'Have the times of a schedule make no calls, until it is resumed.',
    example: 'also after a restart or a deploy',
  });
  addSwitch(group, tools, {
    act: 'resume',
    description: 'Have the times of a paused schedule make calls again. What was missed stays missed.',
    example: 'from its next time on',
  });
}

interface Switch {
  readonly act: 'pause' | 'resume';
  readonly description: string;
  readonly example: string;
}

function addSwitch(group: Command, tools: Tools, { act, description, example }: Switch): void {
  const command = named(group, act, description);
  command.action((of: string, name: string, options: Options) => setPaused(tools, target(of, name), { act, options }));
  complete(command, [[`hob schedule ${act} mail nightly`, example]]);
}

function named(group: Command, command: string, description: string): Command {
  return group
    .command(command)
    .description(description)
    .argument('<function>', 'name of the function')
    .argument('<name>', 'name of the schedule');
}

function target(of: string, name: string): Target {
  const path = `${functionName(of)}/${scheduleName(name)}`;
  return { label: path, path: `/v1/schedules/${path}` };
}

async function listSchedules(tools: Tools, json: boolean): Promise<void> {
  const client = await tools.client();
  const schedules = (await client.json({ method: 'GET', path: '/v1/schedules' })) as ScheduleRecord[];
  if (json) return tools.terminal.json(schedules);
  if (schedules.length === 0) return tools.terminal.note('no schedules: "schedule" in hob.json makes them');
  const rows = schedules.map((one) => [one.function, one.name, whenOf(one), nextOf(one)]);
  return tools.terminal.result(table(['FUNCTION', 'NAME', 'WHEN', 'NEXT'], rows));
}

async function showSchedule(tools: Tools, { path }: Target, { json }: Options): Promise<void> {
  const client = await tools.client();
  const schedule = (await client.json({ method: 'GET', path })) as ScheduleDetail;
  if (json) return tools.terminal.json(schedule);
  const { nextTimes, pausedAt, runs } = schedule;
  const times = nextTimes.length === 0 ? [nextOf(schedule)] : nextTimes;
  const rows = [
    ['function', schedule.function],
    ['name', schedule.name],
    ['when', whenOf(schedule)],
    ['call', `${schedule.method} ${schedule.path}`],
    ...(pausedAt === undefined ? [] : [['paused', `since ${pausedAt}`]]),
    ...times.map((time, index) => [index === 0 ? 'next' : '', time]),
  ];
  await tools.terminal.result(table(['SCHEDULE', ''], rows));
  if (runs.length === 0) return tools.terminal.note('it has made no call yet');
  const head = ['CALL', 'FOR', 'BY', 'STATUS', 'ATTEMPTS', 'ENDED', 'ERROR'];
  return tools.terminal.result(`\n${table(head, runs.map(runRow))}`);
}

async function runSchedule(tools: Tools, { path }: Target, { json }: Options): Promise<void> {
  const client = await tools.client();
  const answer = (await client.json({ method: 'POST', path: `${path}/run` })) as { readonly id: string };
  if (json) return tools.terminal.json(answer);
  return tools.terminal.result(answer.id);
}

async function setPaused(
  tools: Tools,
  { label, path }: Target,
  { act, options }: { readonly act: 'pause' | 'resume'; readonly options: Options },
): Promise<void> {
  const client = await tools.client();
  const schedule = (await client.json({ method: 'POST', path: `${path}/${act}` })) as ScheduleRecord;
  if (options.json) return tools.terminal.json(schedule);
  const { pausedAt, nextAt } = schedule;
  if (pausedAt !== undefined) return tools.terminal.result(`${label} is paused since ${pausedAt}`);
  return tools.terminal.result(
    nextAt === undefined ? `${label} has come to its end` : `${label} comes next at ${nextAt}`,
  );
}

function runRow({ id, at, cause, status, attempts, endedAt, error }: ScheduleRun): string[] {
  return [id, at, cause, status ?? 'not kept', String(attempts ?? '-'), endedAt ?? '-', error?.code ?? ''];
}

function nextOf({ nextAt, pausedAt }: ScheduleRecord): string {
  return pausedAt === undefined ? (nextAt ?? '-') : 'paused';
}

function whenOf({ cron, timezone = 'UTC', everyMs, at }: ScheduleRecord): string {
  if (cron !== undefined) return `${cron} (${timezone})`;
  return everyMs === undefined ? `once, ${at ?? ''}` : `every ${everyMs} ms`;
}
