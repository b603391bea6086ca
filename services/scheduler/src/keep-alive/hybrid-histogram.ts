/** When an idle function is to be loaded. */
export interface KeepAliveWindow {
  /** From the end of the last call until a container is loaded for the next one, ms; 0: the container is not ended at all. */
  readonly preloadAfterMs: number;
  /** How long it is then kept, from being loaded or, when `preloadAfterMs` is 0, from the end of the last call, ms. */
  readonly keepAliveMs: number;
}

/** What a `HybridHistogram` goes by. */
export interface HybridHistogramOptions {
  /** Width of a bin, ms. */
  readonly binMs: number;
  /** How many there are: idle times from `bins × binMs` on are out of bounds. */
  readonly bins: number;
  /** The window begins before this part of the idle times has ended, 0 to 1. */
  readonly head: number;
  /** It ends after this part, 0 to 1. */
  readonly tail: number;
  /** Part by which the window begins earlier and ends later than the histogram says. */
  readonly margin: number;
  /** Idle times below this number tell nothing. */
  readonly samplesMin: number;
  /** Counts are halved when there are this many, at most 65,535: what was long ago fades. */
  readonly samplesMax: number;
  /** Coefficient of variation of the bins' counts below which the histogram is too flat to tell anything. */
  readonly variationMin: number;
  /** Part of the idle times out of bounds from which on the histogram tells nothing, 0 to 1. */
  readonly outOfBoundsMax: number;
  /** What is kept while the histogram tells nothing, ms. */
  readonly standardKeepAliveMs: number;
}

/**
 * Bins, head, tail, margin and variation are the paper's. So is a standard keep-alive as long as the histogram, four hours,
 * which is left to the caller.
 */
export const hybridDefaults: Omit<HybridHistogramOptions, 'standardKeepAliveMs'> = {
  binMs: 60_000,
  bins: 240,
  head: 0.05,
  tail: 0.99,
  margin: 0.1,
  samplesMin: 10,
  samplesMax: 4096,
  variationMin: 2,
  outOfBoundsMax: 0.5,
};

/**
 * Learns from the idle times of one function when it is to be loaded: the hybrid histogram policy of "Serverless in the Wild"
 * (Shahrad et al., USENIX ATC 2020).
 *
 * The window spans the idle times from the head to the tail of the histogram. While these are too few, too many of them out
 * of bounds, or spread so evenly that no window is better than another, the standard keep-alive holds. The paper forecasts
 * by ARIMA when most idle times are out of bounds. This does not: such a function is called a few times a day, and a model
 * of few calls costs more than the cold starts that it saves.
 *
 * It takes two bytes for each bin. `add` takes the same short time whatever was added before.
 */
export class HybridHistogram {
  readonly #options: HybridHistogramOptions;
  readonly #counts: Uint16Array;
  /** Sum of the counts, and of their squares. */
  #inBounds = 0;
  #squares = 0;
  #outOfBounds = 0;
  #window: KeepAliveWindow | undefined;

  constructor(options: HybridHistogramOptions) {
    this.#options = options;
    this.#counts = new Uint16Array(options.bins);
  }

  /** A call came. @param idleMs since the end of the one before; less than 0 counts as 0: they overlapped. */
  add(idleMs: number): void {
    this.#window = undefined;
    const bin = Math.floor(Math.max(idleMs, 0) / this.#options.binMs);
    const count = this.#counts[bin];
    if (count === undefined) {
      this.#outOfBounds += 1;
    } else {
      this.#counts[bin] = count + 1;
      this.#inBounds += 1;
      this.#squares += 2 * count + 1;
    }
    if (this.#inBounds + this.#outOfBounds >= this.#options.samplesMax) this.#halve();
  }

  /** When to have the function loaded after a call that ends now. */
  get window(): KeepAliveWindow {
    return (this.#window ??= this.hasLearned ? this.#learntWindow() : this.#standardWindow());
  }

  /** The histogram tells the window. Otherwise the standard keep-alive holds. */
  get hasLearned(): boolean {
    const { samplesMin, outOfBoundsMax, variationMin } = this.#options;
    const all = this.#inBounds + this.#outOfBounds;
    if (all < samplesMin || this.#outOfBounds >= outOfBoundsMax * all) return false;
    return this.#variation() >= variationMin;
  }

  /** Coefficient of variation of the counts: 0 when all are the same, √(bins - 1) when one bin has everything. */
  #variation(): number {
    const { bins } = this.#options;
    const mean = this.#inBounds / bins;
    return Math.sqrt(Math.max(this.#squares / bins - mean * mean, 0)) / mean;
  }

  #learntWindow(): KeepAliveWindow {
    const { binMs, head, tail, margin } = this.#options;
    const preloadAfterMs = this.#binAt(head) * binMs * (1 - margin);
    const endMs = (this.#binAt(tail) + 1) * binMs * (1 + margin);
    return { preloadAfterMs, keepAliveMs: endMs - preloadAfterMs };
  }

  #standardWindow(): KeepAliveWindow {
    return { preloadAfterMs: 0, keepAliveMs: this.#options.standardKeepAliveMs };
  }

  /** The bin in which this part of the idle times within bounds is reached. */
  #binAt(part: number): number {
    let missing = part * this.#inBounds;
    const bin = this.#counts.findIndex((count) => {
      missing -= count;
      return count > 0 && missing <= 0;
    });
    return bin < 0 ? this.#counts.findLastIndex((count) => count > 0) : bin;
  }

  #halve(): void {
    this.#inBounds = 0;
    this.#squares = 0;
    this.#outOfBounds >>= 1;
    for (const [bin, count] of this.#counts.entries()) {
      const half = count >> 1;
      this.#counts[bin] = half;
      this.#inBounds += half;
      this.#squares += half * half;
    }
  }
}
