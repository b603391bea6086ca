import { type Command, InvalidArgumentError, Option } from 'commander';
import type { SimulateOptions } from '../simulate/simulate.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

const LIST_MAX = 20;
const KEEP_ALIVES_S = [60, 300, 600, 1200, 3600];
const BUDGETS_MB = [1024, 4096, 16_384];
/** A pause of the pool before it replaces a container, and making it: what `hob serve` takes by default. */
const REPLENISH_DEFAULT_MS = 30;

/** Adds `hob simulate`. */
export function addSimulate(program: Command, tools: Tools): void {
  const command = program
    .command('simulate')
    .description('Replay a trace of calls against keep-alive policies, without running functions.')
    .requiredOption('-t, --trace <file>', 'calls: CSV of the Azure Functions data sets, in the form of 2019 or of 2021')
    .option('--durations <file>', 'how long calls take, for the form of 2019 (default: 100 ms)')
    .option('--memory <file>', 'memory of a container (default: 256 MB)')
    .addOption(list('--keep-alive <s,…>', 'fixed keep-alives to try, seconds', KEEP_ALIVES_S))
    .addOption(list('--budget <MB,…>', 'memory for all containers to try with greedy-dual, MB', BUDGETS_MB))
    .option('--replenish <ms>', 'how long replacing a parked container takes', parsePositive, REPLENISH_DEFAULT_MS)
    .option('--hit <percent>', 'part of the starts that are to find a parked container', parsePercent, 99)
    .option('--plot <file>', 'write a plot, SVG')
    .action(async (options: SimulateOptions) => {
      const { simulate } = await import('../simulate/simulate.ts');
      await simulate(tools, options);
    });
  complete(command, [
    ['hob simulate --trace invocations.csv --durations durations.csv', 'cold starts, idle memory, pool size'],
    ['hob simulate --trace calls.csv --keep-alive 30,120 --plot cold.svg', 'two keep-alives, and a plot'],
    ["hob simulate --trace calls.csv --json | jq '.policies[].poolMin'", 'parked containers it takes'],
  ]);
}

function list(flags: string, description: string, values: readonly number[]): Option {
  return new Option(flags, description).default(values, values.join(',')).argParser(parseList);
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (/^\d+(?:\.\d+)?$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError('must be a number above 0.');
}

function parsePercent(text: string): number {
  const value = parsePositive(text);
  if (value <= 100) return value;
  throw new InvalidArgumentError('must be a number up to 100.');
}

function parseList(text: string): number[] {
  const values = text.split(',').map(parsePositive);
  if (values.length <= LIST_MAX) return values.sort((a, b) => a - b);
  throw new InvalidArgumentError(`must be at most ${LIST_MAX} numbers.`);
}
