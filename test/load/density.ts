import { readdirSync } from 'node:fs';
import { quantile } from '../bench/measurement.ts';
import { proportionalMb } from '../support/proportional.ts';
import { serverPid } from '../support/processes.ts';
import { Crowd } from './crowd.ts';

const FUNCTIONS = 100;
const EACH = 10;
/** So many containers are looked at together. */
const STEP = 100;
/** The last ones may cost so much more than the first ones: chance, and what the kernel does. */
const SLOPE_MAX = 1.5;

interface Step {
  readonly perSecond: number;
  /** CPU time of hob itself, for each container, ms. */
  readonly cpuMs: number;
}

async function fill(crowd: Crowd): Promise<{ readonly steps: Step[]; readonly ids: Set<string> }> {
  const steps: Step[] = [];
  const ids = new Set<string>();
  for (let made = 0; made < FUNCTIONS * EACH; made += STEP) {
    const [startMs, cpuMs] = [performance.now(), crowd.ownCpuMs()];
    for (let at = made / EACH; at < (made + STEP) / EACH; at += 1)
      for (const id of await crowd.callAll(at)) ids.add(id);
    const step = {
      perSecond: (1000 * STEP) / (performance.now() - startMs),
      cpuMs: (crowd.ownCpuMs() - cpuMs) / STEP,
    };
    steps.push(step);
    const fds = [crowd.hob.pid, serverPid(crowd.hob.pid)].map((pid) => readdirSync(`/proc/${pid}/fd`).length);
    console.log(
      `${made + STEP} containers: ${step.perSecond.toFixed(1)} a second, ${step.cpuMs.toFixed(1)} ms of hob's CPU time each; ` +
        `descriptors: launcher ${fds[0]}, server ${fds[1]}`,
    );
  }
  return { steps, ids };
}

/**
 * Makes 1,000 warm containers of 100 functions, has each of them answer, and weighs them.
 *
 * @returns what did not go as it should.
 */
export async function density(): Promise<string[]> {
  await using crowd = await Crowd.create({ functions: FUNCTIONS, each: EACH });
  const { steps, ids } = await fill(crowd);
  const startMs = performance.now();
  const again = new Set<string>();
  for (let at = 0; at < FUNCTIONS; at += 1) for (const id of await crowd.callAll(at)) again.add(id);
  console.log(`each called again: ${((1000 * FUNCTIONS * EACH) / (performance.now() - startMs)).toFixed(0)} a second`);
  const pids = crowd.containers();
  const memory = pids.map(proportionalMb);
  const sum = memory.reduce((all, each) => all + each, 0);
  console.log(
    `${pids.length} containers have ${sum.toFixed(0)} MB of proportional memory: ` +
      `p50 ${quantile(memory, 0.5).toFixed(2)} MB, p99 ${quantile(memory, 0.99).toFixed(2)} MB`,
  );
  const [first, last] = [steps[0], steps.at(-1)];
  const slope = (last?.cpuMs ?? 0) / (first?.cpuMs ?? 1);
  console.log(`CPU time of the last ${STEP} to that of the first ones: ${slope.toFixed(2)}`);
  const said = [
    [ids.size !== FUNCTIONS * EACH, `${ids.size} containers answered`],
    [[...again].some((id) => !ids.has(id)), 'some containers were not warm'],
    [again.size !== ids.size, `${again.size} containers answered the second time`],
    [slope > SLOPE_MAX, 'the last containers cost more than the first ones'],
  ] as const;
  return said.flatMap(([isSo, what]) => (isSo ? [what] : []));
}
