import type { Clock, Timer } from './clock.ts';

/** Something that ends at a time, in at most one list at once. */
export interface Expiring {
  /** Set by the list: monotonic, ms. */
  expiresMs: number;
  /** The time has come; it is no longer in the list. Must not throw. */
  expired(): void;
}

/**
 * Deadlines that all lie equally far in the future, so the order of adding is the order of expiring. Adding and removing
 * cost a set operation and no timer: one timer serves the list, and finds out when it fires what is left to do.
 */
export class DeadlineList<T extends Expiring> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #items = new Set<T>();
  #timer: Timer | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** @param nowMs the present, which callers on the hot path know already. */
  add(item: T, nowMs: number): void {
    item.expiresMs = nowMs + this.#delayMs;
    this.#items.add(item);
    this.#timer ??= this.#clock.after(this.#delayMs, () => this.#fire());
  }

  delete(item: T): void {
    this.#items.delete(item);
  }

  /** Forgets all of them. */
  clear(): void {
    this.#items.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    for (const item of this.#items) {
      if (item.expiresMs > nowMs) {
        this.#timer ??= this.#clock.after(item.expiresMs - nowMs, () => this.#fire());
        return;
      }
      this.#items.delete(item);
      item.expired();
    }
  }
}
