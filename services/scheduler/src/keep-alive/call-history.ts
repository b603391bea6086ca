import { HybridHistogram, hybridDefaults, type KeepAliveWindow } from './hybrid-histogram.ts';

/** How long the history of a function that is not called is kept, ms: a week. */
export const FORGET_MS = 7 * 24 * 3_600_000;

/** What is learned from calls, and in which bounds. */
export interface LearningLimits {
  /** What is kept while a history tells nothing, ms. */
  readonly keepAliveMs: number;
  /** Idle times from here on tell nothing, and no window that is learned ends later, ms. */
  readonly keepAliveMaxMs: number;
}

/** When one function was called, whichever of its versions. About a kilobyte, however often it is called. */
export class CallHistory {
  readonly #histogram: HybridHistogram;
  readonly #limits: LearningLimits;
  #running = 0;
  #endedAtMs: number | undefined;
  #uses = 0;

  constructor(limits: LearningLimits) {
    const { keepAliveMs: standardKeepAliveMs, keepAliveMaxMs } = limits;
    this.#limits = limits;
    this.#histogram = new HybridHistogram({
      ...hybridDefaults,
      binMs: keepAliveMaxMs / hybridDefaults.bins,
      standardKeepAliveMs,
    });
  }

  /** Since when no call runs or waits, monotonic ms; undefined while one does, or before the first. */
  get idleSinceMs(): number | undefined {
    return this.#running === 0 ? this.#endedAtMs : undefined;
  }

  /** Calls since it has had a container. */
  get uses(): number {
    return this.#uses;
  }

  /** The window follows from the calls. Otherwise it is the standard keep-alive. */
  get hasLearned(): boolean {
    return this.#histogram.hasLearned;
  }

  /** When to have the function loaded after a call, in whole milliseconds. */
  get window(): KeepAliveWindow {
    const { window } = this.#histogram;
    if (!this.hasLearned) return window;
    const preloadAfterMs = Math.floor(window.preloadAfterMs);
    const endMs = Math.min(Math.ceil(window.preloadAfterMs + window.keepAliveMs), this.#limits.keepAliveMaxMs);
    return { preloadAfterMs, keepAliveMs: endMs - preloadAfterMs };
  }

  called(nowMs: number): void {
    if (this.idleSinceMs !== undefined) this.#histogram.add(nowMs - this.idleSinceMs);
    this.#running += 1;
    this.#uses += 1;
  }

  ended(nowMs: number): void {
    this.#running = Math.max(this.#running - 1, 0);
    this.#endedAtMs = nowMs;
  }

  /** Its last container is gone. */
  unloaded(): void {
    this.#uses = 0;
  }
}

/**
 * The histories of all functions. One that was not called for `FORGET_MS` is forgotten when another function is called for
 * the first time after that: only new ones make the whole grow.
 */
export class CallHistories {
  readonly #limits: LearningLimits;
  readonly #histories = new Map<string, CallHistory>();
  #lookAtMs = 0;

  constructor(limits: LearningLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#histories.size;
  }

  /** Of a function; one that knows nothing for a function that has none. */
  of(functionName: string): CallHistory {
    return this.#histories.get(functionName) ?? new CallHistory(this.#limits);
  }

  called(functionName: string, nowMs: number): void {
    let history = this.#histories.get(functionName);
    if (history === undefined) {
      this.#forgetOld(nowMs);
      history = new CallHistory(this.#limits);
      this.#histories.set(functionName, history);
    }
    history.called(nowMs);
  }

  ended(functionName: string, nowMs: number): void {
    this.#histories.get(functionName)?.ended(nowMs);
  }

  forget(functionName: string): void {
    this.#histories.delete(functionName);
  }

  /** Not at each new function: it looks at all of them. */
  #forgetOld(nowMs: number): void {
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + FORGET_MS / 100;
    for (const [name, { idleSinceMs }] of this.#histories) {
      if (idleSinceMs !== undefined && nowMs - idleSinceMs >= FORGET_MS) this.#histories.delete(name);
    }
  }
}
