import type { Clock, Timer } from './clock.ts';

/** Something that ends at a time, in at most one list at once. Its members are the list's, but for the last. */
export interface Expiring<T> {
  /** Monotonic, ms. */
  expiresMs: number;
  /** Where it is now. */
  list: object | undefined;
  /** Its neighbours there. */
  earlier: T | undefined;
  later: T | undefined;
  /** The time has come; it leaves the list now, or right afterwards. Must not throw. */
  expired(): void;
}

/**
 * Deadlines that all lie equally far in the future, so the order of adding is the order of expiring. Adding and removing
 * cost a few links and no timer: one timer serves the list, and finds out when it fires what is left to do.
 *
 * What has left it is linked to nothing: with a `Set`, which keeps an order too, things stay as `StreamTable` says.
 */
export class DeadlineList<T extends Expiring<T>> implements Iterable<T> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  #first: T | undefined;
  #last: T | undefined;
  #size = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  get size(): number {
    return this.#size;
  }

  /** The one that expires first. */
  get first(): T | undefined {
    return this.#first;
  }

  /** In the order of expiring. The one at hand may be deleted, others not. */
  *[Symbol.iterator](): Iterator<T> {
    for (let item = this.#first; item !== undefined;) {
      const { later } = item;
      yield item;
      item = later;
    }
  }

  /** @param nowMs the present, which callers on the hot path know already. */
  add(item: T, nowMs: number): void {
    item.expiresMs = nowMs + this.#delayMs;
    item.list = this;
    item.earlier = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.later = item;
    this.#last = item;
    this.#size += 1;
    this.#timer ??= this.#clock.after(this.#delayMs, () => this.#fire());
  }

  /** @returns false when it was not in this list. */
  delete(item: T): boolean {
    if (item.list !== this) return false;
    const { earlier, later } = item;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    item.list = undefined;
    item.earlier = undefined;
    item.later = undefined;
    this.#size -= 1;
    return true;
  }

  /** Forgets all of them. */
  clear(): void {
    for (const item of this) this.delete(item);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    for (let item = this.#first; item !== undefined; item = this.#first) {
      if (item.expiresMs > nowMs) {
        this.#timer ??= this.#clock.after(item.expiresMs - nowMs, () => this.#fire());
        return;
      }
      item.expired();
      this.delete(item);
    }
  }
}
