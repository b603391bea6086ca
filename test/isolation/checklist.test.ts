import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { attempts } from './attempts.ts';
import { readChecklist } from './checklist.ts';
import { readResults, resultsTable, tableFile } from './results.ts';

const { lines, escapes } = readChecklist();
const named = new Set(attempts.flatMap((attempt) => attempt.lines));

test('checklist.md is read whole: lines 1 to 26, and each known escape', () => {
  assert.deepEqual(
    lines,
    Array.from({ length: 26 }, (_, at) => at + 1),
  );
  assert.ok(escapes.length >= 20 && escapes.every((name) => /^(?:CVE-\d{4}-\d+|[a-z_]+)$/.test(name)), escapes.join());
});

test('every line of the checklist has an attempt', () => {
  assert.deepEqual(
    lines.filter((line) => !named.has(line)),
    [],
  );
});

test('every known escape of the checklist has an attempt', () => {
  assert.deepEqual(
    escapes.filter((escape) => !named.has(escape)),
    [],
  );
});

test('every attempt names lines of the checklist, and its name is its own', () => {
  const known = new Set<number | string>([...lines, ...escapes]);
  for (const { id, lines: of } of attempts) assert.ok(of.length > 0 && of.every((line) => known.has(line)), id);
  assert.equal(new Set(attempts.map(({ id }) => id)).size, attempts.length);
});

test('RESULTS.md is what results.json says, and has a result for every attempt', () => {
  const results = readResults();
  const columns = Object.values(results);
  const missing = attempts.filter(({ id }) => columns.every((column) => column[id] === undefined)).map(({ id }) => id);
  assert.deepEqual(missing, [], 'attempts that no kind of host has made');
  assert.equal(
    readFileSync(tableFile, 'utf8'),
    resultsTable(attempts, results),
    'make it again: node --conditions=@hob/source test/isolation/write-table.ts',
  );
});
