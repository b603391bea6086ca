import type { MemorySnapshot, PoolSnapshot } from '@hob/contracts';

/** What the target of one pool follows from; `target` is what was aimed at until now. */
export type PoolObservation = Omit<PoolSnapshot, 'runtime' | 'memoryMb' | 'network' | 'creating' | 'parked'>;

/** What the memory budget of all pools together follows from. */
export type MemoryObservation = Omit<MemorySnapshot, 'budgetBytes'>;

/** So many standard deviations of the claims within one replenishment are kept above their mean: claims come at random. */
const RESERVE_DEVIATIONS = 3;
/** Making containers may look this busy at most; beyond it a host needs its time for the calls, and more parked ones do not help. */
const BUSY_MAX = 0.5;
/** A target stays as it is while what is wanted is below it by no more than this part, or by one. */
const SLACK = 0.25;
/** The largest part of a target that is given up at a time when nobody claims any more; otherwise it is one container. */
const FALL = 0.25;

/**
 * How many parked containers would be enough, memory aside: those claimed while one is replaced, with a reserve.
 *
 * @returns a whole number from `min` to `max`; it grows with the rates, the burst and the times.
 */
export function wanted(pool: Omit<PoolObservation, 'target' | 'containerBytes'>): number {
  const { burst, createMs, refillDelayMs, parallel, min, max } = pool;
  const perMs = Math.max(pool.claimsPerSecondShort, pool.claimsPerSecondLong) / 1000;
  // After each container its maker rests for as long.
  const busy = Math.min((2 * perMs * createMs) / parallel, BUSY_MAX);
  // As in a queue: the busier the makers, the longer a replacement waits for them.
  const expected = (perMs * (refillDelayMs + createMs)) / (1 - busy);
  const reserved = expected + RESERVE_DEVIATIONS * Math.sqrt(expected);
  return Math.min(Math.max(Math.ceil(Math.max(reserved, burst)), min), max);
}

/** What all pools' parked containers may take, bytes. It falls with the pressure, to nothing at `pressurePercentMax`. */
export function memoryBudgetBytes(memory: MemoryObservation): number {
  const { totalBytes, availableBytes, parkedBytes, pressurePercent = 0, sharePercent, pressurePercentMax } = memory;
  const otherBytes = totalBytes - availableBytes - parkedBytes;
  const calm = 1 - Math.min(pressurePercent / pressurePercentMax, 1);
  return Math.max(0, (totalBytes * sharePercent) / 100 - otherBytes) * calm;
}

/**
 * The targets of all pools: what is wanted, risen to at once and fallen from step by step, as far as the budget goes. When it does
 * not go far enough, each pool's `min` comes first, then pools get the same part of what they want above it.
 *
 * @returns one for each pool, from `min` to `max`; below `min` only where the budget ends. Together never above the budget.
 */
export function poolTargets(pools: readonly PoolObservation[], budgetBytes: number): number[] {
  const aims = pools.map(settled);
  const allBytes = pools.reduce((sum, { containerBytes }, at) => sum + containerBytes * (aims[at] ?? 0), 0);
  return allBytes <= budgetBytes ? aims : dealt(pools, aims, budgetBytes);
}

/** Lets a target fall only by what is more than chance, and not at once, so that none is ended to be made again. */
function settled(pool: PoolObservation): number {
  const { target } = pool;
  const aim = wanted(pool);
  const isIdle = pool.burst === 0 && Math.max(pool.claimsPerSecondShort, pool.claimsPerSecondLong) === 0;
  if (aim >= target || (!isIdle && target - aim <= Math.max(1, target * SLACK))) return Math.max(aim, target);
  return Math.max(aim, target - (isIdle ? Math.ceil(target * FALL) : 1));
}

/** Deals out containers one by one, and stops at the first that does not fit: so no pool gets fewer for wanting more. */
function dealt(pools: readonly PoolObservation[], aims: readonly number[], budgetBytes: number): number[] {
  const given = pools.map(() => 0);
  for (let leftBytes = budgetBytes; ;) {
    const next = nextToGet(pools, aims, given);
    if (next === undefined) return given;
    leftBytes -= pools[next]?.containerBytes ?? 0;
    if (leftBytes < 0) return given;
    given[next] = (given[next] ?? 0) + 1;
  }
}

/** The pool whose next container is the most urgent one; undefined when all have what they want. */
function nextToGet(pools: readonly PoolObservation[], aims: readonly number[], given: readonly number[]) {
  let next: number | undefined;
  let least = Infinity;
  for (const [at, { min }] of pools.entries()) {
    const [aim = 0, has = 0] = [aims[at], given[at]];
    if (has >= aim) continue;
    // Up to 1: below its min. From 1 to 2: above.
    const rank = has < min ? (has + 1) / min : 1 + (has + 1 - min) / (aim - min);
    if (rank >= least) continue;
    least = rank;
    next = at;
  }
  return next;
}
