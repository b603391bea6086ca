import type { KeepAliveSnapshot, MemorySnapshot, PoolSnapshot } from '@hob/contracts';

/** A pool of two. */
export const pool: PoolSnapshot = {
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
};

/** The host's memory. */
export const memory: MemorySnapshot = {
  totalBytes: 8 * 2 ** 30,
  availableBytes: 4 * 2 ** 30,
  parkedBytes: 12e6,
  pressurePercent: 1.5,
  sharePercent: 80,
  pressurePercentMax: 10,
  budgetBytes: 2 * 2 ** 30,
};

/** Of a function that is called every ten minutes. */
export const keepAlive: KeepAliveSnapshot = { preloadAfterMs: 540_000, keepAliveMs: 120_000, isLearned: true };
