import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import type { Check } from '../commands/test-plan.ts';
import { TestRun } from '../commands/test-run.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Runs test files in a folder of their own. @returns the verdict and every printed line */
async function runFiles(
  files: Record<string, string>,
  options: { checks?: Check[]; testsMin?: number; patterns?: string[]; leftOut?: string[] } = {},
) {
  const root = mkdtempSync(join(tmpdir(), 'hob-test-run-'));
  folders.push(root);
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  const printed: string[] = [];
  // The variable that makes a process a child of this test run would silence the inner runner.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = new TestRun({ root, env, print: (text) => printed.push(...text.split('\n')) });
  const plan = {
    checks: options.checks ?? [],
    phases: [{ name: 'all', globs: ['t/**/*.test.ts'], concurrency: 1 as const }],
    testsMin: options.testsMin ?? 1,
    guests: [],
    leftOut: options.leftOut ?? [],
  };
  const ok = await run.all(plan, options.patterns ?? []);
  return { ok, printed, last: printed.at(-1) };
}

const head = "import { after, describe, test } from 'node:test';\n";
const passing = `${head}test('passes', () => {});\n`;

test('TestRun counts tests, subtests and skips, and no suites', async () => {
  const text = `${head}
    describe('suite', () => { test('inside', () => {}); });
    test('parent', async (t) => { await t.test('child', () => {}); });
    test('left out', { skip: 'no hardware' }, () => {});`;
  const { ok, last, printed } = await runFiles({ 't/a.test.ts': text });
  assert.equal(last, '3 passed, 0 failed, 1 skipped');
  assert.equal(ok, true);
  assert.ok(printed.some((line) => line.includes('left out (no hardware)')));
});

test('TestRun shows a failed test in full, with what its file wrote', async () => {
  const text = `${head}
    test('breaks', () => { console.log('a hint from the test'); throw new Error('the very reason'); });`;
  const { ok, last, printed } = await runFiles({ 't/a.test.ts': text, 't/b.test.ts': passing });
  assert.equal(last, '1 passed, 1 failed');
  assert.equal(ok, false);
  const all = printed.join('\n');
  assert.match(all, /FAIL {2}t\/a\.test\.ts: breaks/);
  assert.match(all, /Error: the very reason\n\s+at /);
  assert.match(all, /a hint from the test/);
});

for (const [what, text] of Object.entries({
  'that throws when it is loaded': 'throw new Error("top");',
  'that declares no test': 'export {};',
  'that ends its process early': `${head}test('never ends', () => process.exit(0));`,
  'that fails in a hook after its tests': `${passing}after(() => { throw new Error('left over'); });`,
  'whose suite has a hook that fails': `${head}describe('s', () => { after(() => { throw new Error('x'); }); test('t', () => {}); });`,
})) {
  test(`TestRun fails for a file ${what}`, async () => {
    const { ok, last } = await runFiles({ 't/a.test.ts': text, 't/b.test.ts': passing });
    assert.equal(ok, false);
    assert.match(last ?? '', /^[1-9]\d* passed, [1-9]\d* failed$/);
  });
}

test('TestRun fails when fewer tests ran than expected', async () => {
  const { ok, last, printed } = await runFiles({ 't/a.test.ts': passing }, { testsMin: 2 });
  assert.equal(ok, false);
  assert.equal(last, '1 passed, 1 failed');
  assert.ok(printed.includes('  FAIL  1 tests ran, at least 2 were expected'));
});

test('TestRun fails when a pattern matches no file, and runs only what matches', async () => {
  const files = { 't/a.test.ts': passing, 't/b.test.ts': passing };
  assert.equal((await runFiles(files, { patterns: ['c.test'] })).last, '0 passed, 1 failed');
  assert.equal((await runFiles(files, { patterns: ['b.test'], testsMin: 100 })).last, '1 passed, 0 failed');
});

test('TestRun counts each check as a test and shows the output of a failed one', async () => {
  const checks: Check[] = [
    { name: 'good', command: [process.execPath, '-e', 'console.log("quiet")'] },
    { name: 'bad', command: [process.execPath, '-e', 'console.error("loud"); process.exit(3)'] },
    { name: 'absent', command: ['/nonexistent/program'] },
  ];
  const { ok, last, printed } = await runFiles({ 't/a.test.ts': passing }, { checks });
  assert.equal(last, '2 passed, 2 failed');
  assert.equal(ok, false);
  assert.ok(printed.includes('        loud'));
  assert.ok(printed.some((line) => line.includes('/nonexistent/program ENOENT')));
  assert.ok(!printed.some((line) => line.includes('quiet')));
});

test('TestRun counts what is left out as skipped, and says why', async () => {
  const { last, printed } = await runFiles({ 't/a.test.ts': passing }, { leftOut: ['guests (not on this machine)'] });
  assert.equal(last, '1 passed, 0 failed, 1 skipped');
  assert.ok(printed.includes('  skip  guests (not on this machine)'));
});
