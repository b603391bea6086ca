/** How much the newest observation counts: so little that a pause of the whole host is not taken for the pace. */
const NEWEST = 0.02;

/** How fast a queue moves, learned from the times between the calls that were served while others waited. */
export class QueuePace {
  #betweenMs = 0;
  #observations = 0;

  /** A call is served so long after the one before; somebody waited all the time. */
  served(betweenMs: number): void {
    this.#observations += 1;
    this.#betweenMs += Math.max(NEWEST, 1 / this.#observations) * (betweenMs - this.#betweenMs);
  }

  /** How many calls are served within a time; Infinity while that is not known. */
  servedIn(ms: number): number {
    return ms / this.#betweenMs;
  }
}
