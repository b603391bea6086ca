import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { barPlot } from './bar-plot.ts';
import type { Measurement } from './measurement.ts';
import { formatSummary, formatTable } from './table.ts';

const here = import.meta.dirname;
const readme = join(here, '../../README.md');
const GIB = 1024 ** 3;
const [BEGIN, END] = ['<!-- bench:begin -->', '<!-- bench:end -->'];

/** What one bench found. */
export interface BenchResult {
  readonly name: string;
  readonly measurements: readonly Measurement[];
  /** Why it came to nothing, or undefined. */
  readonly failure: string | undefined;
}

/** The machine by its shape: cores, memory, kernel, Node, cgroups, and how busy it is. */
export function machineShape(): string {
  const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'cgroup v2' : 'cgroup v1';
  const kernel = release().split('.').slice(0, 2).join('.');
  const memory = `${Math.round(totalmem() / GIB)} GiB`;
  const [load = 0] = loadavg();
  return `${cpus().length} cores, ${memory}, Linux ${kernel}, ${cgroups}, Node ${process.versions.node}, load before ${load.toFixed(2)}`;
}

function section({ name, measurements, failure }: BenchResult): string {
  const plot = measurements.some(({ peers }) => peers.length > 0) ? [`![${name}](RESULTS-${name}.svg)`, ''] : [];
  const body = failure === undefined ? [formatTable(measurements), '', ...plot] : [`It failed: ${failure}`, ''];
  return [`## ${name}`, '', ...body].join('\n');
}

/** The whole run as Markdown. */
function formatResults(machine: string, minutes: number, results: readonly BenchResult[]): string {
  const head = [
    '# Results',
    '',
    `The output of \`npm run bench\`: ${machine}; the run took ${minutes.toFixed(1)} minutes. A ratio above 1 is in hob's favour. Everything`,
    'was measured in one run, hob and its peers by turns; the load generators share the cores with what they load.',
    '',
  ];
  return [...head, ...results.map(section)].join('\n');
}

/** Writes RESULTS.md with its plots, and the table of the README. */
export async function writeResults(machine: string, minutes: number, results: readonly BenchResult[]): Promise<void> {
  await writeFile(join(here, 'RESULTS.md'), formatResults(machine, minutes, results));
  for (const { name, measurements } of results) {
    if (measurements.some(({ peers }) => peers.length > 0)) {
      await writeFile(join(here, `RESULTS-${name}.svg`), barPlot(`${name}, medians`, measurements));
    }
  }
  const table = formatSummary(results.flatMap(({ measurements }) => measurements));
  await writeFile(readme, replaceBetweenMarks(await readFile(readme, 'utf8'), `Measured on ${machine}.\n\n${table}`));
}

/** @throws Error when the text has not both marks. */
export function replaceBetweenMarks(text: string, body: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`no ${BEGIN} … ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${body}\n\n${text.slice(end)}`;
}
