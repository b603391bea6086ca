/** The part of a counter's child that is used here. */
export interface CounterChild {
  inc(value?: number): void;
}

/**
 * Counts for a counter until somebody asks for the metrics: adding to a number costs nothing, while `prom-client` makes a
 * string of the labels each time.
 */
export class PendingCount {
  readonly #child: CounterChild;
  #pending = 0;

  constructor(child: CounterChild) {
    this.#child = child;
  }

  add(): void {
    this.#pending += 1;
  }

  /** Hands what was counted to the counter. */
  flush(): void {
    if (this.#pending === 0) return;
    this.#child.inc(this.#pending);
    this.#pending = 0;
  }
}
