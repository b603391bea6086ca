/**
 * `npm test` after set-up: the checks of the repository, then every test. With arguments only the test files whose
 * path contains one of them, or matches it as a glob, and no checks. The last line is `N passed, N failed`.
 */
import { resolve } from 'node:path';
import { checks, phases, testsMin } from './test-plan.ts';
import { TestRun } from './test-run.ts';

// The operator's settings must not reach the tests.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOB_')));

const run = new TestRun({ root: resolve(import.meta.dirname, '../..'), env, print: (line) => console.log(line) });
process.exitCode = (await run.all({ checks, phases, testsMin }, process.argv.slice(2))) ? 0 : 1;
