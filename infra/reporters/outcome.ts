/** A reporter of `node --test` for people: a line for each file, every failure in full, every skip with its reason. */
import { relative, resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';
import { type Verdict, verdictOf } from './event.ts';

/** @yields text for the terminal */
export default async function* outcome(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, Verdict[]>();
  const output = new Map<string, string[]>();
  for await (const event of events) {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      keep(output, relative(process.cwd(), resolve(event.data.file ?? '')), event.data.message);
    }
    const verdict = verdictOf(event);
    if (verdict) files.set(verdict.file, [...(files.get(verdict.file) ?? []), verdict]);
    if (verdict?.outcome === 'failed') yield failure(verdict);
    if (verdict?.outcome === 'skipped') yield `  skip  ${verdict.file}: ${verdict.title} (${verdict.reason})\n`;
    // A file's own summary comes when its process has told all; one that crashed has none, and is shown at the end.
    if (event.type !== 'test:summary' || event.data.file === undefined) continue;
    const seconds = Math.round(event.data.duration_ms / 1000);
    yield fileText(relative(process.cwd(), event.data.file), [`${seconds} s`], { files, output });
  }
  for (const file of files.keys()) yield fileText(file, [], { files, output });
}

/** What was told of each file and is not shown yet. */
interface Told {
  readonly files: Map<string, Verdict[]>;
  readonly output: Map<string, string[]>;
}

/** A file's line, with its output when a test of it failed; what was shown is forgotten. */
function fileText(file: string, notes: readonly string[], { files, output }: Told): string {
  const verdicts = files.get(file) ?? [];
  const written = output.get(file) ?? [];
  files.delete(file);
  output.delete(file);
  if (verdicts.length === 0) return '';
  const failed = verdicts.some((verdict) => verdict.outcome === 'failed');
  return fileLine(file, verdicts, notes) + (failed ? indent(written.join('')) : '');
}

const OUTPUT_LINES_MAX = 2000;

/** The last lines that a file wrote; shown only when one of its tests failed. */
function keep(output: Map<string, string[]>, file: string, message: string): void {
  const lines = output.get(file) ?? [];
  lines.push(message);
  if (lines.length > OUTPUT_LINES_MAX) lines.shift();
  output.set(file, lines);
}

function fileLine(file: string, verdicts: readonly Verdict[], more: readonly string[]): string {
  const failed = verdicts.filter((verdict) => verdict.outcome === 'failed').length;
  const skipped = verdicts.filter((verdict) => verdict.outcome === 'skipped').length;
  const ran = verdicts.length - skipped;
  const notes = [failed > 0 ? `${failed} failed` : '', skipped > 0 ? `${skipped} skipped` : '', ...more].filter(
    (note) => note !== '',
  );
  return `  ${failed > 0 ? 'fail' : 'ok  '}  ${file} (${[`${ran} tests`, ...notes].join(', ')})\n`;
}

function failure(verdict: Verdict): string {
  const head = `  FAIL  ${verdict.file}: ${verdict.title}\n`;
  const cause = verdict.error?.cause ?? verdict.error;
  return cause === undefined ? head : `${head}${indent(inspect(cause, { depth: 6 }))}`;
}

function indent(text: string): string {
  return text === '' ? '' : `${text.trimEnd().replaceAll(/^/gm, '        ')}\n`;
}
