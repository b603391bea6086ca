import { after, before, test } from 'node:test';
import { enterWorldOfOwn } from '../support/outside.ts';
import { Effects } from './effects.ts';
import { hobFaultKinds, planFaults, planText, randomOf } from './fault-plan.ts';
import { hobRound } from './hob-round.ts';

const CALLS = 1000;
const effects = new Effects();
let world: AsyncDisposable;

before(async () => {
  world = await enterWorldOfOwn((url) => effects.note(url));
});
after(() => world[Symbol.asyncDispose]());

test('Of calls of a whole hob none vanishes and each key has one outcome, whichever of its processes are killed or stopped, and nothing is left', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = randomOf(seed);
  const faults = planFaults(random, hobFaultKinds.length, hobFaultKinds);
  t.diagnostic(`seed ${seed}: ${planText(faults)}`);
  t.diagnostic(await hobRound({ calls: CALLS, faults, random, effects }));
});
