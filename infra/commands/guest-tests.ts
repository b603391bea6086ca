/** Test files in a guest kernel, by the same runner and reporters as on the host. */
import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { GuestKind } from '../vm/guests.ts';
import { runGuest } from '../vm/guest.ts';
import { programOfFewModules, testsOfFewModules } from '../vm/few-modules.ts';
import { nodeTest } from './node-test.ts';
import { add, none, readTotals, type Totals } from './totals.ts';

const runFile = promisify(execFile);
const MEMORY_MB = 2048;
/** A guest needs two to four minutes; this is for a machine that has much else to do. */
const GUEST_MS_MAX = 30 * 60_000;
/** In the guest: what tests want to leave on the host, in `.hob/vm/results/<guest>/`. */
const RESULTS = '/share/results';
const TOTALS = 'totals.json';

/** Which files run in a guest. */
export interface GuestPlan {
  readonly kind: GuestKind;
  readonly globs: readonly string[];
  /** How many tests must at least run; fewer is a failure. */
  readonly testsMin: number;
}

export interface GuestTests {
  /** The repository's top folder. */
  readonly root: string;
  readonly kind: GuestKind;
  /** Relative to `root`. */
  readonly files: readonly string[];
  readonly testsMin: number;
  /** Takes one or more lines of output, without the last line end. */
  readonly print: (text: string) => void;
  /** Ends the guest. */
  readonly signal: AbortSignal;
}

/**
 * Boots a guest and runs the files in it. Whatever keeps it from telling how many tests passed is a failure, which is printed
 * with the end of the guest's console.
 */
export async function runGuestTests({ root, kind, files, testsMin, print, signal }: GuestTests): Promise<Totals> {
  const line = (text: string): void => print(`  ${kind.name.padEnd(8)}${text}`);
  const results = join(root, '.hob', 'vm', 'results', kind.name);
  const [program, tests] = await Promise.all([
    programOfFewModules(root),
    testsOfFewModules(root, files),
    buildPrograms(root, kind),
  ]);
  const preparation = [...program.lines, ...tests.lines];
  const options = {
    ...{ root, kernelArguments: kind.kernelArguments, job: jobScript(root, kind, preparation, tests.tests) },
    files: new Map([...kind.files, ...program.files, ...tests.files]),
    disk: realpathSync(join(root, '.hob/rootfs/current')),
    ...{ results, memoryMb: MEMORY_MB, timeoutMs: GUEST_MS_MAX, onLine: line },
  };
  const startedMs = performance.now();
  const end = await runGuest(options, signal);
  const totals = readTotals(join(results, TOTALS)) ?? none;
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  const problem = problemOf(end, totals, testsMin);
  line(`${problem === '' ? '  ok  ' : '  FAIL'}  ${totals.passed + totals.failed} tests in ${seconds} s`);
  if (problem === '') return totals;
  for (const text of problem.split('\n')) line(`          ${text}`);
  return totals.failed > 0 ? totals : add(totals, { ...none, failed: 1 });
}

/** Where the guest finds the programs that its tests would compile. */
function programsFolder(root: string, kind: GuestKind): string {
  return join(root, '.hob', 'vm', 'programs', kind.name);
}

async function buildPrograms(root: string, kind: GuestKind): Promise<void> {
  const folder = programsFolder(root, kind);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await runFile(process.execPath, [join(root, 'test/isolation/build.ts'), folder]);
}

function problemOf(
  end: { readonly exitCode: number | undefined; readonly problem: string },
  totals: Totals,
  testsMin: number,
): string {
  if (end.exitCode === undefined) return end.problem;
  if (totals.failed > 0) return 'tests failed';
  if (end.exitCode !== 0) return `its job ended with exit code ${end.exitCode}`;
  const ran = totals.passed + totals.failed;
  return ran < testsMin ? `${ran} tests ran, at least ${testsMin} were expected` : '';
}

function jobScript(root: string, kind: GuestKind, preparation: readonly string[], files: readonly string[]): string {
  return [
    'set -e',
    `cd ${quoted(root)}`,
    ...kind.preparation,
    ...preparation,
    `export HOB_TEST_GUEST=${kind.name} HOB_ISOLATION_RESULTS=${RESULTS}/isolation.json`,
    `export HOB_TEST_PROGRAMS=${quoted(programsFolder(root, kind))}`,
    'mkdir -m 1777 /run/tmp && export TMPDIR=/run/tmp',
    // Not on the guest's overlay: of what is mapped from one, SELinux asks for rights to the file system below, too.
    'root=$(readlink -f .hob/rootfs/current) && mount /dev/vda "$root" && rmdir "$root/lost+found"',
    // What one test file's process has compiled, the next one need not.
    'export NODE_COMPILE_CACHE=/run/compile-cache',
    `exec ${nodeTest(files, `${RESULTS}/${TOTALS}`, 1, GUEST_MS_MAX).map(quoted).join(' ')}`,
    '',
  ].join('\n');
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
