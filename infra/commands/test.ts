/**
 * `npm test` after set-up: the checks of the repository, then every test, then those that run in guest kernels, unless
 * HOB_SKIP_VM=1. With arguments only the test files whose path contains one of them, or matches it as a glob, and no checks
 * and no guests. The last line is `N passed, N failed`.
 */
import { resolve } from 'node:path';
import { whyNoGuests } from '../setup/guest-kernel.mjs';
import { checks, guestPhase, guests, phases, testsMin } from './test-plan.ts';
import { testEnvironment, TestRun } from './test-run.ts';

const patterns = process.argv.slice(2);
const env = testEnvironment(process.env);
const run = new TestRun({ root: resolve(import.meta.dirname, '../..'), env, print: (line) => console.log(line) });
const none = patterns.length > 0 ? '' : whyNoGuests(process.env);
const plan =
  none === undefined
    ? { phases: [...phases, guestPhase], guests, leftOut: [], testsMin: testsMin + testsMinOfGuests() }
    : { phases, guests: [], leftOut: none === '' ? [] : [`tests in guest kernels (${none})`], testsMin };
process.exitCode = (await run.all({ checks, ...plan }, patterns)) ? 0 : 1;

function testsMinOfGuests(): number {
  return guests.reduce((sum, guest) => sum + guest.testsMin, 0);
}
