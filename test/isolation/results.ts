/**
 * The table of results: one row for each attempt, one column for each kind of host. The columns are kept as JSON in
 * `results.json`, which a run on a host of that kind adds to, and RESULTS.md is made from it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Attempt } from './attempt.ts';

/** Kind of host → attempt → result. */
export type Results = Record<string, Record<string, string>>;

export const resultsFile = join(import.meta.dirname, 'results.json');
export const tableFile = join(import.meta.dirname, 'RESULTS.md');

export function readResults(file = resultsFile): Results {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : {};
}

/** Adds one kind of host, or replaces it, in a file of results. */
export function writeResults(file: string, kind: string, results: Readonly<Record<string, string>>): void {
  const sorted = Object.entries({ ...readResults(file), [kind]: results }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`);
}

const head = `# Results of the attempts

What each attempt to get out gave, on each kind of host it was made on. Made from \`results.json\` by
\`node --conditions=@hob/source test/isolation/write-table.ts\`; the tests hold each host to its column's expectation.
The lines are those of \`checklist.md\`. Who tries: JavaScript of a hostile function, a static C program (native), as that function's
child and as the first process of a container; or nobody: then it is what the host's kernel says of the container (outside).
`;

/** The text of RESULTS.md. */
export function resultsTable(attempts: readonly Attempt[], results: Results): string {
  const kinds = Object.keys(results);
  const rows = attempts.map(({ id, by, lines, what }) => [
    id,
    by,
    lines.join(', '),
    what,
    ...kinds.map((kind) => cell(results[kind]?.[id])),
  ]);
  const table = [['attempt', 'who', 'lines', 'what', ...kinds], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(3, ...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [head, lines[0], rule, ...lines.slice(1), ''].join('\n');
}

function cell(result: string | undefined): string {
  if (result === undefined) return '';
  return result === '' ? '(nothing)' : result.replaceAll('|', '\\|');
}
