/**
 * `npm run test:load`: what hob does under loads that take minutes, one after another; `-- --only NAME,…` runs some of them. Each prints
 * what it sees. Exit code 0: all went as it should; 2: the arguments are not understood.
 */
import { parseArgs } from 'node:util';
import { backlog } from './backlog.ts';
import { density } from './density.ts';
import { loadRisingAndFalling } from './following.ts';
import { overload } from './overload.ts';

/** Each gives what did not go as it should. */
const loads = { pool: loadRisingAndFalling, overload, density, backlog } as const satisfies Record<
  string,
  () => Promise<string[]>
>;

type LoadName = keyof typeof loads;

const names = Object.keys(loads) as LoadName[];

/** @returns what is asked for, or undefined when it is not understood. */
function readArguments(args: readonly string[]): readonly LoadName[] | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' } } });
    const asked = values.only?.split(',') ?? names;
    const only = names.filter((name) => asked.includes(name));
    return only.length === asked.length ? only : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const asked = readArguments(process.argv.slice(2));
  if (asked === undefined) {
    process.stderr.write(`usage: npm run test:load -- [--only NAME,…]\nNAME: ${names.join(', ')}\n`);
    return 2;
  }
  let exitCode = 0;
  for (const name of asked) {
    console.log(`${name}\n`);
    const said = await loads[name]();
    for (const line of said) console.error(line);
    if (said.length > 0) exitCode = 1;
  }
  return exitCode;
}

process.exitCode = await main();
