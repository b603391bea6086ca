import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { barPlot } from './bar-plot.ts';
import type { OtherPrograms } from './machine.ts';
import type { Measurement } from './measurement.ts';
import { formatSummary, formatTable, quoted } from './table.ts';

const here = import.meta.dirname;
const readme = join(here, '../../README.md');
const [BEGIN, END] = ['<!-- bench:begin -->', '<!-- bench:end -->'];

/** What one bench found. */
export interface BenchResult {
  readonly name: string;
  readonly measurements: readonly Measurement[];
  /** How busy other programs were just before, percent of all cores. */
  readonly othersPercent: number;
  /** Why it came to nothing, or undefined. */
  readonly failure: string | undefined;
}

/** One run. */
export interface BenchRun {
  /** See machineShape(). */
  readonly machine: string;
  readonly others: Pick<OtherPrograms, 'worstPercent' | 'areQuiet'>;
  readonly minutes: number;
  readonly results: readonly BenchResult[];
}

/** Where it was measured; a busy machine is called that. */
function circumstances({ machine, others }: BenchRun): string {
  const used = `other programs used up to ${others.worstPercent} % of the cores`;
  return others.areQuiet
    ? `${machine}; ${used}`
    : `${machine}. **The machine was busy: ${used} between the measurements. These numbers say little**`;
}

function section({ name, measurements, othersPercent, failure }: BenchResult): string {
  const plot = measurements.some(({ peers }) => peers.length > 0) ? [`![${name}](RESULTS-${name}.svg)`, ''] : [];
  const body = failure === undefined ? [formatTable(measurements), '', ...plot] : [`It failed: ${quoted(failure)}`, ''];
  const others = `Other programs used ${othersPercent} % of the cores just before.`;
  return [`## ${name}`, '', others, '', ...body].join('\n');
}

/** The whole run as Markdown. */
export function formatResults(run: BenchRun): string {
  const head = [
    '# Results',
    '',
    `Written by \`npm run bench\` in ${run.minutes.toFixed(1)} minutes, on ${circumstances(run)}. A ratio above 1 is in hob's favour.`,
    'Everything was measured in one run, hob and its peers by turns; the load generators share the cores with what they load.',
    '',
  ];
  return [...head, ...run.results.map(section)].join('\n');
}

/** Writes RESULTS.md with its plots, and the table of the README. */
export async function writeResults(run: BenchRun): Promise<void> {
  await writeFile(join(here, 'RESULTS.md'), formatResults(run));
  for (const { name, measurements } of run.results) {
    if (measurements.some(({ peers }) => peers.length > 0)) {
      await writeFile(join(here, `RESULTS-${name}.svg`), barPlot(`${name}, medians`, measurements));
    }
  }
  const table = formatSummary(run.results.flatMap(({ measurements }) => measurements));
  const text = `Measured on ${circumstances(run)}.\n\n${table}`;
  await writeFile(readme, replaceBetweenMarks(await readFile(readme, 'utf8'), text));
}

/** @throws Error when the text has not both marks. */
export function replaceBetweenMarks(text: string, body: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`no ${BEGIN} … ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${body}\n\n${text.slice(end)}`;
}
