/** How much the newest observation counts: so little that a pause of the whole host, in which some calls wait, is not taken for the pace. */
const NEWEST = 0.02;

/** How fast a queue moves, learned from how long those before have waited in it. */
export class QueuePace {
  /** The time for each call that was ahead, and its own; 0 until one is known. */
  #placeMs = 0;

  /** A call is served now, after so many that were ahead of it. */
  served(waitedMs: number, ahead: number): void {
    const placeMs = waitedMs / (ahead + 1);
    this.#placeMs = this.#placeMs === 0 ? placeMs : this.#placeMs + NEWEST * (placeMs - this.#placeMs);
  }

  /** How many calls are served within a time. */
  servedIn(ms: number): number {
    return ms / this.#placeMs;
  }
}
