/** What tells how much a container is worth. */
export interface ContainerWorth {
  /** Calls of its function since that has had a container. */
  readonly uses: number;
  /** What loading it again takes, ms. */
  readonly costMs: number;
  /** Memory that it takes, bytes. */
  readonly sizeBytes: number;
}

/**
 * Picks which idle container to end for its memory: the greedy-dual policy of "FaasCache" (Fuerst and Sharma, ASPLOS 2021).
 *
 * A container's priority is set at the end of each of its calls: the clock, and what keeping it saves for each byte. The one
 * with the lowest goes, and the clock rises to that priority: who was worth much and is not called any more is overtaken.
 */
export class GreedyDual {
  #clock = 0;

  /** The priority of a container whose call ends now. */
  priority({ uses, costMs, sizeBytes }: ContainerWorth): number {
    return this.#clock + (uses * costMs) / sizeBytes;
  }

  /** Picks the candidate that is to be ended, the first one of equals; the clock rises to its priority. */
  evict<T extends { readonly priority: number }>(candidates: Iterable<T>): T | undefined {
    let lowest: T | undefined;
    for (const candidate of candidates) {
      if (lowest === undefined || candidate.priority < lowest.priority) lowest = candidate;
    }
    // A priority of long ago may be behind the clock.
    if (lowest !== undefined) this.#clock = Math.max(this.#clock, lowest.priority);
    return lowest;
  }
}
