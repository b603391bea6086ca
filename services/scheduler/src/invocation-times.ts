import type { CallAccount, StartKind } from '@hob/contracts';
import type { LeaseStart } from './lease.ts';

/** The part of a call's account that is times. */
export type CallTimes = Pick<CallAccount, 'start' | 'queueMs' | 'createMs' | 'thawMs' | 'loadMs' | 'runMs'>;

/**
 * The times of one call, from monotonic ms to durations. They do not overlap: what waiting, forking, thawing, loading and
 * running took adds up to the whole.
 */
export class InvocationTimes {
  readonly arrivedAtMs: number;
  start: StartKind = 'warm';
  queueMs = 0;
  createMs = 0;
  thawMs = 0;
  loadMs = 0;
  /** When loading began and when running did: undefined until then. */
  #loadAtMs: number | undefined;
  #runAtMs: number | undefined;
  #endedAtMs: number | undefined;

  constructor(arrivedAtMs: number) {
    this.arrivedAtMs = arrivedAtMs;
  }

  /** It has got a container. A claim that began before the call arrived counts from its arrival. */
  sent(atMs: number, { kind, createMs, claimedAtMs }: LeaseStart): void {
    const waitedMs = Math.max((claimedAtMs ?? atMs) - this.arrivedAtMs, 0);
    this.start = kind;
    this.createMs = Math.min(createMs, waitedMs);
    this.queueMs = waitedMs - this.createMs;
    if (claimedAtMs === undefined) this.#runAtMs = atMs;
    else this.#loadAtMs = Math.max(claimedAtMs, this.arrivedAtMs);
  }

  /** It has reached a container. */
  get wasSent(): boolean {
    return this.#loadAtMs !== undefined || this.#runAtMs !== undefined;
  }

  /** Its container was frozen when the call got it, and goes on. */
  thawed(atMs: number): void {
    this.thawMs = this.runMs(atMs);
    this.#runAtMs = atMs;
  }

  loaded(atMs: number): void {
    if (this.#loadAtMs !== undefined) this.loadMs = atMs - this.#loadAtMs;
    this.#runAtMs = atMs;
  }

  /** From the call reaching loaded code until `atMs`. */
  runMs(atMs: number): number {
    return this.#runAtMs === undefined ? 0 : atMs - this.#runAtMs;
  }

  /** The response is complete. */
  ended(atMs: number): void {
    this.#endedAtMs ??= atMs;
  }

  /** @param nowMs the end, unless the response was complete before. */
  account(nowMs: number): CallTimes {
    const endMs = this.#endedAtMs ?? nowMs;
    const hasRun = this.#runAtMs !== undefined;
    const isLoadCut = !hasRun && this.#loadAtMs !== undefined;
    return {
      start: this.start,
      queueMs: this.wasSent ? this.queueMs : endMs - this.arrivedAtMs,
      createMs: this.createMs,
      thawMs: this.thawMs,
      loadMs: isLoadCut ? endMs - (this.#loadAtMs ?? endMs) : this.loadMs,
      runMs: this.runMs(endMs),
    };
  }
}
