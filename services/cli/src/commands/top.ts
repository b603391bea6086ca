import { setTimeout } from 'node:timers/promises';
import type { SchedulerSnapshot } from '@hob/contracts';
import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import type { Tools } from '../tools.ts';
import { CallRates } from '../top/call-rates.ts';
import { Screen } from '../top/screen.ts';
import { type TopState, topView } from '../top/view.ts';
import { complete } from './command.ts';

const INTERVAL_MS = 1000;

interface TopOptions {
  readonly once?: true;
  readonly json?: true;
}

/** Adds `hob top`. */
export function addTop(program: Command, tools: Tools): void {
  const command = program
    .command('top')
    .description('Show pools and functions, busiest first, each second anew; once where there is no terminal.')
    .option('--once', 'show one second and end')
    .action((options: TopOptions) => top(tools, options));
  complete(command, [
    ['hob top', 'until interrupted'],
    ['hob top --once', 'one second, as text'],
    ["hob top --json | jq '.functions[] | {function, rate}'", 'one second, for programs'],
  ]);
}

async function top(tools: Tools, { once, json }: TopOptions): Promise<void> {
  const { terminal } = tools;
  const client = await tools.client();
  const rates = new CallRates();
  const first = await look(client, rates);
  if (!once && !json && terminal.isScreen) return watch(tools, client, { rates, first });
  await setTimeout(INTERVAL_MS, undefined, { signal: tools.interruption });
  const state = await look(client, rates);
  return json ? terminal.json(state) : terminal.result(topView(state));
}

interface Begun {
  readonly rates: CallRates;
  readonly first: TopState;
}

/** Ends by throwing: when it is interrupted, or the server does not answer. */
async function watch(tools: Tools, client: ApiClient, { rates, first }: Begun): Promise<never> {
  using screen = new Screen(tools.terminal.stdout);
  for (let state = first; ; state = await look(client, rates)) {
    screen.draw(`hob top: ${client.url}, ${new Date().toLocaleTimeString()}\n\n${topView(state)}`);
    await setTimeout(INTERVAL_MS, undefined, { signal: tools.interruption });
  }
}

async function look(client: ApiClient, rates: CallRates): Promise<TopState> {
  const answer = await client.json({ method: 'GET', path: '/v1/stats' });
  const response = await client.send({ method: 'GET', path: '/metrics' });
  if (response.statusCode >= 400) throw await client.problem(response);
  rates.observe(await client.text(response), performance.now());
  const { pools, functions } = answer as SchedulerSnapshot;
  return { pools, functions: functions.map((each) => ({ ...each, rate: rates.of(each.function, each.version) })) };
}
