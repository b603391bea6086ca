import { writeFile } from 'node:fs/promises';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { plotSvg } from './plot.ts';
import { fixed, greedyDual, hybrid, HYBRID_STANDARD_MS } from './policies.ts';
import { poolMin } from './pool-min.ts';
import { DURATION_DEFAULT_MS, MEMORY_DEFAULT_MB, readTrace } from './read-trace.ts';
import { replay } from './replay.ts';

/** What `hob simulate` is asked. */
export interface SimulateOptions {
  readonly trace: string;
  readonly durations?: string;
  readonly memory?: string;
  /** Lengths of fixed keep-alives, seconds. */
  readonly keepAlive: readonly number[];
  /** Memory of all containers, MB. */
  readonly budget: readonly number[];
  /** How long replacing a parked container takes, ms. */
  readonly replenish: number;
  /** Part of the starts that are to find a parked container, percent. */
  readonly hit: number;
  readonly plot?: string;
  readonly json?: true;
}

/** Replays a trace under each policy, and prints what came of it. @throws what `readTrace` and writing the plot throw */
export async function simulate(tools: Tools, options: SimulateOptions): Promise<void> {
  const { terminal } = tools;
  const sized = await terminal.progress(`reading ${options.trace}`, () => readTrace(options));
  const makers = [
    fixed(0),
    ...options.keepAlive.map((seconds) => fixed(seconds * 1000)),
    hybrid(),
    ...options.budget.map(greedyDual),
  ];
  const policies = [];
  for (const make of makers) {
    const policy = make();
    const { startsMs, ...outcome } = await terminal.progress(policy.label, () => replay(sized, policy));
    policies.push({
      family: policy.family,
      label: policy.label,
      ...outcome,
      coldStartShare: outcome.coldStarts / outcome.calls,
      starts: startsMs.length,
      poolMin: poolMin(startsMs, options.replenish, options.hit / 100),
    });
  }
  if (options.plot !== undefined) await writeFile(options.plot, plotSvg(policies));
  const { size, functions } = sized.trace;
  if (options.json) return terminal.json({ calls: size, functions: functions.length, policies });
  terminal.note(`calls: ${size}, functions: ${functions.length}`);
  const rows = policies.map(({ label, coldStartShare, coldStarts, wastedGbSeconds, poolMin: min }) => {
    const share = `${(coldStartShare * 100).toFixed(2)} %`;
    return [label, share, String(coldStarts), wastedGbSeconds.toFixed(1), String(min)];
  });
  await terminal.result(table(['POLICY', 'COLD', 'COLD STARTS', 'IDLE GB·S', 'MIN'], rows));
  for (const assumption of assumptions(options)) terminal.note(assumption);
}

/** What the numbers rest on, beside the trace. */
function assumptions({ durations, memory, replenish, hit }: SimulateOptions): string[] {
  const duration =
    durations === undefined ? `${DURATION_DEFAULT_MS} ms` : `${durations}, else ${DURATION_DEFAULT_MS} ms`;
  const megabytes = memory === undefined ? `${MEMORY_DEFAULT_MB} MB` : `${memory}, else ${MEMORY_DEFAULT_MB} MB`;
  return [
    'A container serves one call at a time.',
    `Durations: the trace, else ${duration}. Memory of a container: ${megabytes}.`,
    `The hybrid histogram keeps containers for ${HYBRID_STANDARD_MS / 1000} s while it knows nothing better.`,
    `MIN: with so many parked containers, each replaced within ${replenish} ms, ${hit} % of the starts find one.`,
  ];
}
