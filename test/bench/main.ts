/** `npm run bench`: measures hob and its peers in turn, prints a table, and writes it as JSON when asked. */
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { benchBurst } from './burst.ts';
import { benchCreate } from './create.ts';
import { benchFirstCall } from './first-call.ts';
import { type Measurement, toRecord } from './measurement.ts';
import { benchMemory } from './memory.ts';
import { benchNeighbours } from './neighbours.ts';
import { formatTable } from './table.ts';
import { benchWarmCall } from './warm-call.ts';

const benches = {
  create: benchCreate,
  'first-call': benchFirstCall,
  burst: benchBurst,
  'warm-call': benchWarmCall,
  memory: benchMemory,
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
  const [load = 0] = loadavg();
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Linux ${release()}, Node ${process.versions.node}`;
  console.log(`${machine}, load before ${load.toFixed(2)}\n`);
  if (load > 0.5) process.stderr.write('the machine is busy: these numbers will be worse than they could be\n');
  const measurements: Measurement[] = [];
  let failures = 0;
  for (const name of asked.only) {
    process.stderr.write(`measuring ${name} …\n`);
    try {
      measurements.push(...(await benches[name]()));
    } catch (error) {
      // The others are worth having all the same.
      failures += 1;
      console.error(`${name} FAILED:`, error);
    }
  }
  console.log(formatTable(measurements));
  if (asked.json !== undefined) {
    await writeFile(asked.json, `${JSON.stringify(measurements.map(toRecord), undefined, 2)}\n`);
  }
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
