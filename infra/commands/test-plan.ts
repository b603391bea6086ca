/** What `npm test` runs. */

/** A check of the repository; it counts as one test. */
export interface Check {
  readonly name: string;
  /** Program of node_modules/.bin, or `node`, with its arguments; run in the repository's top folder. */
  readonly command: readonly [string, ...string[]];
}

export const checks: readonly Check[] = [
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json', '--noEmit'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
  { name: 'repository rules', command: ['node', 'infra/tidy.ts'] },
  { name: 'licences', command: ['node', 'infra/licences.ts'] },
];

/** Test files that run together. */
export interface Phase {
  readonly name: string;
  readonly globs: readonly string[];
  /** How many files run at the same time. */
  readonly concurrency: 1 | 2;
}

/** Files that make containers or start a whole hob run one at a time: they count what is left on the machine. */
export const phases: readonly Phase[] = [
  {
    name: 'parts',
    globs: [
      'services/{builder,cli,contracts,gateway,registry}/test/**/*.test.ts',
      'functions/runtimes/*/test/**/*.test.ts',
    ],
    concurrency: 2,
  },
  {
    name: 'containers',
    globs: [
      'native/test/**/*.test.ts',
      'services/scheduler/test/**/*.test.ts',
      'infra/test/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    concurrency: 1,
  },
];

/**
 * How many checks and tests `npm test` must at least run; fewer is a failure. Raised when tests are added, so that
 * tests which silently stop running are noticed.
 */
export const testsMin = 722;
