const PLACES_MIN = 8;
/** In place of a number. */
const FREE = -1;

/**
 * What is open at this moment, by stream or another number.
 *
 * A `Map` does the same, but what passes through it stays for too long where entries come and go all the time: V8 links each of a
 * map's former tables to the next one, and once the first of them is old, young collections keep the whole chain, and all that was
 * ever entered. Here numbers lie in one table, each in the first free place from its own on.
 */
export class StreamTable<V> implements Iterable<V> {
  #numbers: number[] = [];
  #values: (V | undefined)[] = [];
  #mask = 0;
  #size = 0;

  constructor() {
    this.clear();
  }

  get size(): number {
    return this.#size;
  }

  get(number: number): V | undefined {
    return this.#values[this.#find(number)];
  }

  has(number: number): boolean {
    return this.#numbers[this.#find(number)] === number;
  }

  /** @param number a whole one, not negative. */
  set(number: number, value: V): void {
    const at = this.#find(number);
    if (this.#numbers[at] !== number) this.#size += 1;
    this.#numbers[at] = number;
    this.#values[at] = value;
    if (2 * this.#size > this.#mask) this.#grow();
  }

  /** @returns false when there was none. */
  delete(number: number): boolean {
    let free = this.#find(number);
    if (this.#numbers[free] !== number) return false;
    // What had to go further because of it comes closer to its own place.
    for (let at = this.#after(free); this.#numbers[at] !== FREE; at = this.#after(at)) {
      const moved = this.#numbers[at] ?? FREE;
      if (((at - moved) & this.#mask) < ((at - free) & this.#mask)) continue;
      this.#numbers[free] = moved;
      this.#values[free] = this.#values[at];
      free = at;
    }
    this.#numbers[free] = FREE;
    this.#values[free] = undefined;
    this.#size -= 1;
    return true;
  }

  clear(): void {
    this.#resize(PLACES_MIN);
  }

  /** All that are open now, in no order. They may be closed meanwhile. */
  *[Symbol.iterator](): Iterator<V> {
    const numbers = this.#numbers.filter((number) => number !== FREE);
    for (const number of numbers) if (this.has(number)) yield this.get(number) as V;
  }

  /** Where a number is, or the place for it. */
  #find(number: number): number {
    let at = number & this.#mask;
    while (this.#numbers[at] !== number && this.#numbers[at] !== FREE) at = this.#after(at);
    return at;
  }

  #after(at: number): number {
    return (at + 1) & this.#mask;
  }

  #grow(): void {
    const [numbers, values] = [this.#numbers, this.#values];
    this.#resize(2 * numbers.length);
    for (const [at, number] of numbers.entries()) if (number !== FREE) this.set(number, values[at] as V);
  }

  #resize(places: number): void {
    this.#numbers = Array<number>(places).fill(FREE);
    this.#values = Array<undefined>(places).fill(undefined);
    this.#mask = places - 1;
    this.#size = 0;
  }
}
