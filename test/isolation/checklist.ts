/** Reads checklist.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Checklist {
  /** The numbers of its lines. */
  readonly lines: readonly number[];
  /** What the first column of its table names, one by one. */
  readonly escapes: readonly string[];
}

export function readChecklist(): Checklist {
  const text = readFileSync(join(import.meta.dirname, 'checklist.md'), 'utf8').split('\n');
  const lines = text.flatMap((line) => /^(\d+)\. /.exec(line)?.slice(1).map(Number) ?? []);
  const rows = text.filter((line) => line.startsWith('| ') && !/^\| (?:-+|known escape) /.test(line));
  const escapes = rows.flatMap((row) => (row.split('|')[1] ?? '').split(',').map((name) => name.trim()));
  return { lines, escapes };
}
