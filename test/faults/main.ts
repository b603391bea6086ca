/**
 * `npm run test:faults -- [--minutes N] [--seed S]`: rounds of events with faults at random moments, first of a queue alone, then of a whole
 * hob, until the time is over; at least one of each. Each round says its seed, with which it can be made again. Exit code 0: all went as it should; 1: a round failed, and is the last; 2: the
 * arguments are not understood.
 */
import { parseArgs } from 'node:util';
import { enterWorldOfOwn } from '../support/outside.ts';
import { Effects } from './effects.ts';
import { faultKinds, hobFaultKinds, planFaults, planText, randomOf } from './fault-plan.ts';
import { hobRound } from './hob-round.ts';
import { faultRound } from './round.ts';

const EVENTS = 10_000;
const FAULTS = 12;
const HOB_FAULTS = 2 * hobFaultKinds.length;
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
  let effects = new Effects();
  await using _ = await enterWorldOfOwn((url) => effects.note(url));
  let seed = asked.seed;
  do {
    try {
      effects = new Effects();
      await roundsOf(seed, effects);
    } catch (error) {
      console.error(error);
      console.error(`the round failed; once more: npm run test:faults -- --minutes 1 --seed ${seed}`);
      return 1;
    }
    seed = (seed + 1) % SEEDS;
  } while (performance.now() < endMs);
  return 0;
}

/** A round of a queue, then one of a whole hob. */
async function roundsOf(seed: number, effects: Effects): Promise<void> {
  const random = randomOf(seed);
  const faults = planFaults(random, FAULTS, faultKinds);
  console.log(`seed ${seed}, a queue: ${planText(faults)}`);
  console.log(`  ${await faultRound({ events: EVENTS, faults, random })}`);
  const ofHob = randomOf(seed);
  const hobFaults = planFaults(ofHob, HOB_FAULTS, hobFaultKinds);
  console.log(`seed ${seed}, a whole hob: ${planText(hobFaults)}`);
  console.log(`  ${await hobRound({ calls: EVENTS, faults: hobFaults, random: ofHob, effects })}`);
}

process.exitCode = await main();
