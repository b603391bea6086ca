import type { FunctionAlias, FunctionSummary, FunctionVersion, LogLine, SchedulerSnapshot } from '@hob/contracts';

/** A deployed version of a function called `hello`. */
export const version: FunctionVersion = {
  name: 'hello',
  version: 3,
  digest: 'ab'.repeat(32),
  config: {
    name: 'hello',
    runtime: 'nodejs24.x',
    entry: 'index.ts',
    memoryMb: 256,
    cpu: 1,
    timeoutMs: 30_000,
    concurrency: 1,
    maxContainers: 16,
    env: { GREETING: 'Hi' },
    auth: 'open',
    assets: [],
    egress: 'none',
    nofile: 1024,
    tmpMb: 64,
    responseBytesMax: 2 ** 30,
  },
  bundleBytes: 2048,
  hasAssets: false,
  createdAt: '2026-01-02T03:04:05.000Z',
};

const fixed = { preloadAfterMs: 0, keepAliveMs: 60_000, isLearned: false };
const learned = { preloadAfterMs: 540_000, keepAliveMs: 120_500, isLearned: true };

export const alias: FunctionAlias = {
  name: 'live',
  weights: [{ version: 3, weight: 100 }],
  sticky: 'header:hob-sticky',
  updatedAt: '2026-01-02T03:04:06.000Z',
};

export const summary = { name: 'hello', live: version, versions: [2, 3], aliases: [alias] } satisfies FunctionSummary;

export const snapshot: SchedulerSnapshot = {
  pools: [
    {
      runtime: 'nodejs24.x',
      memoryMb: 256,
      network: 'none',
      creating: 1,
      parked: 2,
      target: 3,
      min: 2,
      max: 8,
      claimsPerSecondShort: 4,
      claimsPerSecondLong: 2,
      burst: 3,
      createMs: 5,
      refillDelayMs: 25,
      parallel: 2,
      containerBytes: 6e6,
    },
  ],
  memory: {
    totalBytes: 8 * 2 ** 30,
    availableBytes: 4 * 2 ** 30,
    parkedBytes: 12e6,
    pressurePercent: 1.5,
    sharePercent: 80,
    pressurePercentMax: 10,
    budgetBytes: 2 * 2 ** 30,
  },
  functions: [
    {
      function: 'hello',
      version: 2,
      loading: 0,
      idle: 1,
      busy: 0,
      waiting: 0,
      cpuSeconds: 0.25,
      memoryBytes: 4 << 20,
      keepAlive: fixed,
    },
    {
      function: 'hello',
      version: 3,
      loading: 1,
      idle: 2,
      busy: 3,
      waiting: 4,
      cpuSeconds: 1.5,
      memoryBytes: 9 << 20,
      keepAlive: learned,
    },
  ],
  zygotes: [{ runtime: 'nodejs24.x', memoryMb: 256, pid: 4242, restarts: 1 }],
};

export const logLines: readonly LogLine[] = [
  {
    timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    function: 'hello',
    version: 3,
    invocationId: '0f0e0d0c-1111-4222-8333-444455556666',
    channel: 'stdout',
    line: 'plain',
  },
  {
    timeMs: Date.UTC(2026, 0, 2, 3, 4, 6),
    function: 'hello',
    version: 3,
    invocationId: '',
    channel: 'stderr',
    line: '\u001b[2Jcleared\u0007 \u202eover',
  },
];
