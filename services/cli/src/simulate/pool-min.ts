/**
 * How many parked containers it takes so that enough of the starts find one.
 *
 * Each start takes one, which is replaced `replenishMs` later, whatever others take: a start finds one when no more than
 * that many were taken in the time of one replacement, itself included.
 *
 * @param startsMs when containers were started, ms, ascending.
 * @param share of the starts that are to find one, 0 to 1.
 */
export function poolMin(startsMs: Float64Array, replenishMs: number, share: number): number {
  /** At n, how many starts need n parked containers. */
  const needs: number[] = [];
  let oldest = 0;
  for (const [at, startMs] of startsMs.entries()) {
    while ((startsMs[oldest] ?? startMs) <= startMs - replenishMs && oldest < at) oldest += 1;
    const needed = at - oldest + 1;
    needs[needed] = (needs[needed] ?? 0) + 1;
  }
  let missing = share * startsMs.length;
  for (const needed of needs.keys()) {
    missing -= needs[needed] ?? 0;
    if (missing <= 0) return needed;
  }
  return 0;
}
