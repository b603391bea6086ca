/** How much the newest observation counts. */
const NEWEST = 0.2;

/** Calls that wait for a container of one version, and those who serve them. */
export interface Line {
  /** How long each call has waited, ms, the longest first. */
  readonly waitedMs: Iterable<number>;
  /** Of how many it matters whether they are late. */
  readonly lateMax: number;
  /** How many calls the loaded containers may serve at the same time. */
  readonly slots: number;
}

/** How fast a version's calls are served and its containers started, learned from those before. */
export class Pace {
  /** Unknown: a call may take for ever. */
  #callMs = Infinity;
  /** Unknown: a container may be there at once. */
  #startMs = 0;

  /** From the request for another container until it serves calls, at least a millisecond, ms. */
  get startMs(): number {
    return Math.max(1, this.#startMs);
  }

  /** A call was served. */
  get isKnown(): boolean {
    return this.#callMs !== Infinity;
  }

  served(callMs: number): void {
    this.#callMs = average(this.#callMs, callMs);
  }

  started(startMs: number): void {
    this.#startMs = this.#startMs === 0 ? startMs : average(this.#startMs, startMs);
  }

  /** How many of the waiting calls would wait, all in all, for as long as it takes to start another container, or longer. */
  late({ waitedMs, lateMax, slots }: Line): number {
    let late = 0;
    let position = 0;
    for (const waited of waitedMs) {
      if (late >= lateMax) break;
      position += 1;
      const leftMs = slots === 0 ? Infinity : (position * this.#callMs) / slots;
      if (waited + leftMs >= this.#startMs) late += 1;
    }
    return late;
  }
}

function average(before: number, newest: number): number {
  return before === Infinity ? newest : before + NEWEST * (newest - before);
}
