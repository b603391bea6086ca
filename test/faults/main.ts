/**
 * `npm run test:faults -- [--minutes N] [--seed S]`: rounds of events with faults at random moments, until the time is over; at least one.
 * Each round says its seed, with which it can be made again. Exit code 0: all went as it should; 1: a round failed, and is the last; 2: the
 * arguments are not understood.
 */
import { parseArgs } from 'node:util';
import { planFaults, randomOf } from './fault-plan.ts';
import { faultRound } from './round.ts';

const EVENTS = 10_000;
const FAULTS = 12;
const SEEDS = 2 ** 31;

/** @returns undefined when it is not understood. */
function readArguments(args: readonly string[]): { readonly minutes: number; readonly seed: number } | undefined {
  try {
    const options = { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } } as const;
    const { values } = parseArgs({ args: [...args], options });
    const minutes = Number(values.minutes);
    const seed = Number(values.seed ?? Math.floor(Math.random() * SEEDS));
    return minutes > 0 && Number.isInteger(seed) && seed >= 0 && seed < SEEDS ? { minutes, seed } : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const asked = readArguments(process.argv.slice(2));
  if (asked === undefined) {
    process.stderr.write(`usage: npm run test:faults -- [--minutes N] [--seed S]\nS: from 0 to ${SEEDS - 1}\n`);
    return 2;
  }
  const endMs = performance.now() + asked.minutes * 60_000;
  let seed = asked.seed;
  do {
    const random = randomOf(seed);
    const faults = planFaults(random, FAULTS);
    console.log(
      `seed ${seed}: ${faults.map(({ kind, share }) => `${kind} at ${Math.round(share * 100)} %`).join(', ')}`,
    );
    try {
      console.log(`  ${await faultRound({ events: EVENTS, faults, random })}`);
    } catch (error) {
      console.error(error);
      console.error(`the round failed; once more: npm run test:faults -- --minutes 1 --seed ${seed}`);
      return 1;
    }
    seed = (seed + 1) % SEEDS;
  } while (performance.now() < endMs);
  return 0;
}

process.exitCode = await main();
