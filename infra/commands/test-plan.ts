/** What `npm test` runs. */
import { guestKinds } from '../vm/guests.ts';
import type { GuestPlan } from './guest-tests.ts';

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
      'services/{builder,cli,contracts,gateway,queue,redis,registry}/test/**/*.test.ts',
      'functions/runtimes/*/test/**/*.test.ts',
    ],
    concurrency: 2,
  },
  {
    name: 'containers',
    globs: [
      'native/test/**/*.test.ts',
      'services/scheduler/test/**/*.test.ts',
      'infra/test/*.test.ts',
      'test/!(vm)/**/*.test.ts',
    ],
    concurrency: 1,
  },
];

/**
 * Files that run in every guest: isolation, limits, and a whole hob. Node is slow there, so they are few. The smoke test
 * brings the attempts of test/isolation along.
 */
const inEveryGuest = ['test/vm/*.test.ts', 'services/scheduler/test/driver/{isolation,isolation-outside}.test.ts'];

/** Those of `test/vm/<guest>/` run in that guest only, and those of cgroup v2 in one, since both have it. */
export const guests: readonly GuestPlan[] = [
  {
    kind: guestKinds.apparmor,
    globs: [...inEveryGuest, 'services/scheduler/test/driver/limits.test.ts', 'test/vm/apparmor/*.test.ts'],
    testsMin: 61,
  },
  {
    kind: guestKinds.selinux,
    globs: [...inEveryGuest, 'test/vm/selinux/*.test.ts', 'test/vm/cgroup-v2/*.test.ts'],
    testsMin: 53,
  },
];

/** Tests of the guests themselves, which need QEMU too. */
export const guestPhase: Phase = { name: 'guests themselves', globs: ['infra/test/vm/*.test.ts'], concurrency: 1 };

/**
 * How many checks and tests `npm test` must at least run; fewer is a failure. Raised when tests are added, so that
 * tests which silently stop running are noticed.
 */
export const testsMin = 1822;
