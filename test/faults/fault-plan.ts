/** What is done to a queue's processes: an end without a word, or a pause in which one answers nothing. */
export const faultKinds = ['kill-redis', 'kill-worker', 'kill-both', 'stop-redis', 'stop-worker'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What is done to the processes of a whole hob. */
export const hobFaultKinds = [
  'kill-server',
  'kill-launcher',
  'kill-redis',
  'kill-zygote',
  'kill-container',
  'stop-server',
  'stop-launcher',
  'stop-redis',
  'stop-zygote',
  'stop-container',
] as const;
export type HobFaultKind = (typeof hobFaultKinds)[number];

/** One fault. */
export interface Fault<Kind extends string> {
  readonly kind: Kind;
  /** Which share of the events has come when it comes, 0 to 1. */
  readonly share: number;
  /** Which of several processes of a kind it is done to, as a share of them, 0 to below 1. */
  readonly pick: number;
  /** Between the ends of two processes; how long a stopped one is stopped, ms. */
  readonly pauseMs: number;
  /** Until what was killed is started again, ms. */
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

/**
 * Faults in their order, one at a random moment of each of equal parts of the time, the same for the same random numbers.
 *
 * @param kinds what they are chosen from; none comes again before each has come.
 */
export function planFaults<Kind extends string>(
  random: () => number,
  count: number,
  kinds: readonly Kind[],
): Fault<Kind>[] {
  let left: Kind[] = [];
  return Array.from({ length: count }, (_, index) => {
    const share = (index + random()) / count;
    if (left.length === 0) left = [...kinds];
    const [kind] = left.splice(Math.floor(random() * left.length), 1) as [Kind];
    const pauseMs = random() * (kind.startsWith('stop') ? STOP_MS_MAX : PAUSE_MS_MAX);
    return { kind, share, pick: random(), pauseMs, awayMs: random() * PAUSE_MS_MAX };
  });
}

/** A plan, for people. */
export function planText(faults: readonly Fault<string>[]): string {
  return faults.map(({ kind, share }) => `${kind} at ${Math.round(share * 100)} %`).join(', ');
}
