import type { CallLoad } from '@hob/contracts';

export interface SpareCapacityOptions {
  /** How many asynchronous calls may run while there are no others. */
  readonly max: number;
  /** All calls, asynchronous ones too. */
  readonly load: () => CallLoad;
}

/** How long a synchronous call that is over still counts, ms. */
const TICK_MS = 50;

/**
 * Lets asynchronous calls run in what synchronous ones leave: each synchronous call that runs, or began in the last 50 ms, takes one
 * of the `max` places. One place is always left, so that a server that is never quiet comes to the end of its queue too.
 */
export class SpareCapacity implements Disposable {
  readonly #options: SpareCapacityOptions;
  readonly #waiting = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #own = 0;
  #ownStarted = 0;
  #lastStarted: number;
  #others = 0;

  constructor(options: SpareCapacityOptions) {
    this.#options = options;
    this.#lastStarted = options.load().started;
    this.#timer = setInterval(() => this.#look(), TICK_MS).unref();
  }

  /** How many asynchronous calls may run now. */
  get limit(): number {
    const { max, load } = this.#options;
    return Math.max(1, max - Math.max(this.#others, load().running - this.#own));
  }

  /** Waits for a place. @returns the place; disposing it gives it back. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<Disposable> {
    while (this.#own >= this.limit) {
      signal.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      this.#waiting.delete(resolve);
    }
    signal.throwIfAborted();
    this.#own += 1;
    this.#ownStarted += 1;
    return {
      [Symbol.dispose]: () => {
        this.#own -= 1;
        this.#wake();
      },
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { running, started } = this.#options.load();
    const begun = started - this.#lastStarted - this.#ownStarted;
    this.#lastStarted = started;
    this.#ownStarted = 0;
    this.#others = Math.max(running - this.#own, begun, 0);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
