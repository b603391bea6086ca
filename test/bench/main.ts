/**
 * `npm run bench`: measures hob and its peers in turn and prints tables. A run of everything writes RESULTS.md, its plots and the
 * table of the README; any run writes JSON when asked.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { benchBurst } from './burst.ts';
import { benchCreate } from './create.ts';
import { benchFirstCall } from './first-call.ts';
import { benchFreshCall } from './fresh-call.ts';
import { benchHeavy } from './heavy.ts';
import { machineShape, OtherPrograms } from './machine.ts';
import { type Measurement, toRecord } from './measurement.ts';
import { benchMemory } from './memory.ts';
import { benchNeighbours } from './neighbours.ts';
import { type BenchResult, writeResults } from './results.ts';
import { formatTable } from './table.ts';
import { benchWarmCall } from './warm-call.ts';

const benches = {
  create: benchCreate,
  'first-call': benchFirstCall,
  burst: benchBurst,
  'warm-call': benchWarmCall,
  memory: benchMemory,
  'fresh-call': benchFreshCall,
  heavy: benchHeavy,
  neighbours: benchNeighbours,
} as const satisfies Record<string, () => Promise<Measurement[]>>;

type BenchName = keyof typeof benches;

const names = Object.keys(benches) as BenchName[];
const usage = `usage: npm run bench -- [--only NAME,…] [--json FILE]\nNAME: ${names.join(', ')}\n`;

/** @returns what is asked for, or undefined when it is not understood. */
function readArguments(args: readonly string[]): { only: readonly BenchName[]; json: string | undefined } | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' }, json: { type: 'string' } } });
    const asked = values.only?.split(',') ?? names;
    const only = names.filter((name) => asked.includes(name));
    return only.length === asked.length ? { only, json: values.json } : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const asked = readArguments(process.argv.slice(2));
  if (asked === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const machine = machineShape();
  const others = new OtherPrograms();
  const startedMs = performance.now();
  console.log(`${machine}\n`);
  const results: BenchResult[] = [];
  // A terminal's Ctrl-C ends what the bench has started, too: so the measurement fails, and cleans up. A second one cuts.
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (isInterrupted = true));
  for (const name of asked.only) {
    if (isInterrupted) return 130;
    const othersPercent = await others.look();
    process.stderr.write(`other programs use ${othersPercent} % of the cores; measuring ${name} …\n`);
    results.push({ name, othersPercent, ...(await run(name)) });
  }
  if (isInterrupted) return 130;
  await others.look();
  if (!others.areQuiet) process.stderr.write('the machine was busy: these numbers say little\n');
  const measurements = results.flatMap((result) => result.measurements);
  const minutes = (performance.now() - startedMs) / 60_000;
  if (asked.only.length === names.length) await writeResults({ machine, others, minutes, results });
  if (asked.json !== undefined) {
    await writeFile(asked.json, `${JSON.stringify(measurements.map(toRecord), undefined, 2)}\n`);
  }
  console.log(`${minutes.toFixed(1)} minutes`);
  return results.every(({ failure }) => failure === undefined) ? 0 : 1;
}

/** Never rejects: the others are worth having all the same. */
async function run(name: BenchName): Promise<Pick<BenchResult, 'measurements' | 'failure'>> {
  try {
    const measurements = await benches[name]();
    console.log(`${formatTable(measurements)}\n`);
    return { measurements, failure: undefined };
  } catch (error) {
    console.error(`${name} FAILED:`, error);
    return { measurements: [], failure: error instanceof Error ? error.message : String(error) };
  }
}

process.exitCode = await main();
