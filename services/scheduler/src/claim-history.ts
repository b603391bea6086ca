import type { PoolObservation } from './pool-target.ts';

/** A window has so many slots, and forgets one slot at a time. */
export const WINDOW_SLOTS = 60;
const SHORT_SLOTS = 6;

/** When a pool's containers were claimed, as far back as one window: rates, and how many came together. */
export class ClaimHistory {
  readonly #slotMs: number;
  readonly #counts = Array.from({ length: WINDOW_SLOTS }, () => 0);
  readonly #bursts = Array.from({ length: WINDOW_SLOTS }, () => 0);
  /** Number of the newest slot, counted since the clock's beginning. */
  #newest = 0;
  /** Times of the claims that still belong to one burst, the oldest first. */
  readonly #together: number[] = [];

  /** @param windowMs how far back it looks. */
  constructor(windowMs: number) {
    this.#slotMs = windowMs / WINDOW_SLOTS;
  }

  /**
   * Somebody claims now.
   *
   * @param replenishMs claims that are no further apart than this belong to one burst.
   * @param burstMax larger bursts need not be told apart.
   */
  add(nowMs: number, replenishMs: number, burstMax: number): void {
    this.#turnTo(nowMs);
    const together = this.#together;
    together.push(nowMs);
    while (together.length > burstMax || nowMs - (together[0] ?? nowMs) > replenishMs) together.shift();
    const at = this.#newest % WINDOW_SLOTS;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#bursts[at] = Math.max(this.#bursts[at] ?? 0, together.length);
  }

  observe(nowMs: number): Pick<PoolObservation, 'claimsPerSecondShort' | 'claimsPerSecondLong' | 'burst'> {
    this.#turnTo(nowMs);
    return {
      claimsPerSecondShort: this.#perSecond(SHORT_SLOTS),
      claimsPerSecondLong: this.#perSecond(WINDOW_SLOTS),
      burst: Math.max(...this.#bursts),
    };
  }

  #perSecond(slots: number): number {
    let count = 0;
    for (let slot = this.#newest; slot > this.#newest - slots; slot--) count += this.#counts[slot % WINDOW_SLOTS] ?? 0;
    return (1000 * count) / (slots * this.#slotMs);
  }

  #turnTo(nowMs: number): void {
    const newest = Math.floor(nowMs / this.#slotMs) + WINDOW_SLOTS; // never negative, however far back
    for (let slot = Math.max(this.#newest + 1, newest - WINDOW_SLOTS + 1); slot <= newest; slot++) {
      this.#counts[slot % WINDOW_SLOTS] = 0;
      this.#bursts[slot % WINDOW_SLOTS] = 0;
    }
    this.#newest = newest;
  }
}
