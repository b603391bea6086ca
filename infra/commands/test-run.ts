/** Running a plan of checks and tests, and counting what came of it. */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, matchesGlob } from 'node:path';
import { type GuestPlan, runGuestTests } from './guest-tests.ts';
import { nodeTest } from './node-test.ts';
import type { Check, Phase } from './test-plan.ts';
import { add, none, readTotals, type Totals } from './totals.ts';

/** What to run, and how many checks and tests there must at least be. */
export interface TestPlan {
  readonly checks: readonly Check[];
  readonly phases: readonly Phase[];
  readonly testsMin: number;
  /** Guests, which run at the same time after everything else. */
  readonly guests: readonly GuestPlan[];
  /** What is left out, each with its reason; counts as skipped. */
  readonly leftOut: readonly string[];
}

/** The environment of checks and tests: the operator's settings must not reach them. */
export function testEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('HOB_')));
}

/** One run in one repository. */
export class TestRun {
  readonly #root: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #print: (text: string) => void;

  /**
   * @param host.root the repository's top folder; commands run in it
   * @param host.env the whole environment of checks and tests
   * @param host.print takes one or more lines of output, without the last line end
   */
  constructor(host: { root: string; env: NodeJS.ProcessEnv; print: (text: string) => void }) {
    this.#root = host.root;
    this.#env = host.env;
    this.#print = host.print;
  }

  /**
   * Runs a plan to its end; the last line printed is `N passed, N failed`.
   *
   * @param patterns when there are any: only test files whose path contains one or matches it, and no checks
   * @returns whether nothing failed and enough ran
   */
  async all(plan: TestPlan, patterns: readonly string[]): Promise<boolean> {
    let totals = none;
    if (patterns.length === 0) {
      this.#print('checks');
      for (const check of plan.checks) totals = add(totals, await this.#check(check));
    }
    for (const phase of plan.phases) {
      const files = this.#files(phase.globs, patterns);
      if (files.length === 0) continue;
      this.#print(`tests: ${phase.name}`);
      totals = add(totals, await this.#phase(phase, files));
    }
    totals = add(totals, await this.#guests(plan.guests, patterns));
    for (const what of plan.leftOut) {
      this.#print(`  skip  ${what}`);
      totals = add(totals, { ...none, skipped: 1 });
    }
    const ran = totals.passed + totals.failed;
    const expected = patterns.length === 0 ? plan.testsMin : 1;
    if (ran < expected) {
      this.#print(`  FAIL  ${ran} tests ran, at least ${expected} were expected`);
      totals = add(totals, { ...none, failed: 1 });
    }
    const { passed, failed, skipped } = totals;
    this.#print(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failed === 0;
  }

  async #check(check: Check): Promise<Totals> {
    const startedMs = performance.now();
    const { code, output } = await this.#run(check.command);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    this.#print(`  ${code === 0 ? 'ok  ' : 'FAIL'}  ${check.name} (${seconds} s)`);
    if (code === 0) return { ...none, passed: 1 };
    this.#print(output.trimEnd().replaceAll(/^/gm, '        '));
    return { ...none, failed: 1 };
  }

  async #phase(phase: Phase, files: readonly string[]): Promise<Totals> {
    const folder = mkdtempSync(join(tmpdir(), 'hob-test-'));
    try {
      const totalsFile = join(folder, 'totals.json');
      const { code } = await this.#run(nodeTest(files, totalsFile, phase.concurrency), this.#print);
      const totals = readTotals(totalsFile);
      // A runner that fails although no test did must not look like success, nor one that says nothing.
      if (totals !== undefined && (code === 0 || totals.failed > 0)) return totals;
      this.#print(`  FAIL  the test runner ended with code ${code}`);
      return add(totals ?? none, { ...none, failed: 1 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #guests(plans: readonly GuestPlan[], patterns: readonly string[]): Promise<Totals> {
    const wanted = plans
      .map(({ kind, globs, testsMin }) => ({ kind, testsMin, files: this.#files(globs, patterns) }))
      .filter(({ files }) => files.length > 0);
    if (wanted.length === 0) return none;
    this.#print(`tests: guest kernels (${wanted.map(({ kind }) => kind.name).join(', ')})`);
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    process.on('SIGINT', abort).on('SIGTERM', abort);
    const common = { root: this.#root, print: this.#print, signal: stop.signal };
    const results = await Promise.all(
      wanted.map(({ kind, files, testsMin }) =>
        runGuestTests({ ...common, kind, files, testsMin: patterns.length === 0 ? testsMin : 1 }),
      ),
    );
    process.off('SIGINT', abort).off('SIGTERM', abort);
    return results.reduce(add, none);
  }

  #files(globs: readonly string[], patterns: readonly string[]): string[] {
    const files = globSync([...globs], { cwd: this.#root, exclude: ['**/node_modules/**', '**/dist/**'] }).toSorted();
    if (patterns.length === 0) return files;
    return files.filter((file) => patterns.some((pattern) => file.includes(pattern) || matchesGlob(file, pattern)));
  }

  /** Runs a command to its end. @param live takes its output line by line as it comes */
  #run(command: readonly string[], live?: (line: string) => void): Promise<{ code: number | null; output: string }> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { cwd: this.#root, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (signal: NodeJS.Signals): boolean => child.kill(signal);
    process.on('SIGINT', stop).on('SIGTERM', stop);
    let output = '';
    const take = (text: string): void => {
      output += text;
      if (!live) return;
      const lines = output.split('\n');
      output = lines.pop() ?? '';
      if (lines.length > 0) live(lines.join('\n'));
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', (error) => take(`${error.message}\n`));
    return new Promise((done) => {
      child.once('close', (code) => {
        process.off('SIGINT', stop).off('SIGTERM', stop);
        if (live && output !== '') live(output);
        done({ code, output });
      });
    });
  }
}
