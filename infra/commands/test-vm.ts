/**
 * `npm run test:vm` after set-up: the tests that run in guest kernels. With arguments only the test files whose path contains
 * one of them, or matches it as a glob. The last line is `N passed, N failed`.
 */
import { resolve } from 'node:path';
import { guestPhase, guests } from './test-plan.ts';
import { testEnvironment, TestRun } from './test-run.ts';

const env = testEnvironment(process.env);
const run = new TestRun({ root: resolve(import.meta.dirname, '../..'), env, print: (line) => console.log(line) });
const plan = { checks: [], phases: [guestPhase], guests, leftOut: [], testsMin: 1 };
process.exitCode = (await run.all(plan, process.argv.slice(2))) ? 0 : 1;
