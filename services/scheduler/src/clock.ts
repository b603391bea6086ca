/** A timer that can be called off. */
export interface Timer {
  cancel(): void;
}

/** Time, as the scheduler sees it. Tests give one that they turn themselves. */
export interface Clock {
  /** Monotonic, ms with fractions. */
  nowMs(): number;
  /** Wall clock, ms since the epoch. */
  wallMs(): number;
  /** Calls `fire` once, no earlier than after `delayMs`. It does not keep the process alive. */
  after(delayMs: number, fire: () => void): Timer;
}

/** The real time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, fire) {
    const timeout = setTimeout(fire, Math.ceil(delayMs)).unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};
