/** What is done to a process: an end without a word, or a pause in which it answers nothing. */
export const faultKinds = ['kill-redis', 'kill-worker', 'kill-both', 'stop-redis', 'stop-worker'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** One fault. */
export interface Fault {
  readonly kind: FaultKind;
  /** Which share of the events has been accepted when it comes, 0 to 1. */
  readonly share: number;
  /** Between the ends of two processes; how long a stopped one is stopped, ms. */
  readonly pauseMs: number;
  /** Until a worker that was killed is started again, ms. */
  readonly awayMs: number;
}

const STOP_MS_MAX = 3000;
const PAUSE_MS_MAX = 200;

/** Random numbers from 0 to 1, the same for the same seed: Mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Faults in their order, one at a random moment of each of equal parts of the time, the same for the same random numbers. @param kinds what they are chosen from. */
export function planFaults(
  random: () => number,
  count: number,
  kinds: readonly [FaultKind, ...FaultKind[]] = faultKinds,
): Fault[] {
  return Array.from({ length: count }, (_, index) => {
    const share = (index + random()) / count;
    const kind = kinds[Math.floor(random() * kinds.length)] ?? kinds[0];
    const pauseMs = random() * (kind.startsWith('stop') ? STOP_MS_MAX : PAUSE_MS_MAX);
    return { kind, share, pauseMs, awayMs: random() * PAUSE_MS_MAX };
  });
}
