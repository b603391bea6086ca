/**
 * `npm run test:load`: what hob does under loads that take minutes, one after another; `-- --only NAME,…` takes some of them.
 * Exit code 0: all went as it should.
 */
import { parseArgs } from 'node:util';
import { density } from './density.ts';
import { loadRisingAndFalling } from './following.ts';
import { overload } from './overload.ts';

/** Each prints what it sees, and gives what did not go as it should. */
const loads: Readonly<Record<string, () => Promise<string[]>>> = { pool: loadRisingAndFalling, overload, density };

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const names = values.only?.split(',') ?? Object.keys(loads);
for (const name of names) {
  const load = loads[name];
  if (load === undefined) throw new Error(`no load is called ${name}: there are ${Object.keys(loads).join(', ')}`);
  console.log(`\n${name}\n`);
  const said = await load();
  for (const line of said) console.error(line);
  if (said.length > 0) process.exitCode = 1;
}
