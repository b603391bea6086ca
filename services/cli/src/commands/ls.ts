import type { FunctionSummary, SchedulerSnapshot } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/** Adds `hob ls`. */
export function addLs(program: Command, tools: Tools): void {
  const command = program
    .command('ls')
    .description('List the functions.')
    .action(({ json }: { json?: true }) => list(tools, json === true));
  complete(command, [
    ['hob ls', 'name, live version, memory, containers, URL'],
    ["hob ls --json | jq -r '.[].name'", 'names only'],
  ]);
}

async function list(tools: Tools, json: boolean): Promise<void> {
  const client = await tools.client();
  const [functions, snapshot] = (await Promise.all([
    client.json({ method: 'GET', path: '/v1/functions' }),
    client.json({ method: 'GET', path: '/v1/stats' }),
  ])) as [FunctionSummary[], SchedulerSnapshot];
  const rows = functions.map((summary) => ({
    ...summary,
    containers: containersOf(summary.name, snapshot),
    url: `${client.url}/fn/${summary.name}`,
  }));
  if (json) return tools.terminal.json(rows);
  if (rows.length === 0) return tools.terminal.note('no functions yet: "hob init hello && hob deploy hello" makes one');
  const cells = rows.map(({ name, live, containers, url }) => {
    const memory = live === undefined ? '-' : `${live.config.memoryMb} MB`;
    return [name, String(live?.version ?? '-'), memory, String(containers), url];
  });
  return tools.terminal.result(table(['NAME', 'LIVE', 'MEMORY', 'CONTAINERS', 'URL'], cells));
}

/** How many containers live for a function, over all its versions. */
function containersOf(name: string, snapshot: SchedulerSnapshot): number {
  return snapshot.functions
    .filter((each) => each.function === name)
    .reduce((sum, { loading, idle, busy }) => sum + loading + idle + busy, 0);
}
