import { fail, type HobError } from '@hob/contracts';
import { DeadlineList } from './deadline-list.ts';
import type { Environment } from './environment.ts';
import type { Invocation } from './invocation.ts';
import { QueuePace } from './queue-pace.ts';

/** The pace may change: who would have to wait for more than this part of the time that a call may wait is refused. */
const TIMEOUT_SHARE = 0.5;

/** Who serves the calls of a queue. */
export interface QueueService {
  /** How many calls may be served at the same time by the containers that there are. */
  readonly slots: number;
  /** A call was served already: how long others take is known. */
  readonly isKnown: boolean;
}

/** Calls of one version that wait for a container, in the order of arrival. */
export class CallQueue {
  readonly #env: Environment;
  readonly #totals: { waiting: number };
  readonly #emptied: () => void;
  /** All may wait equally long. */
  readonly #calls: DeadlineList<Invocation>;
  readonly #pace = new QueuePace();
  /** When one was served for the last time, monotonic ms. */
  #servedAtMs = -Infinity;
  /** When calls began to wait: since then some always have. Monotonic ms. */
  #waitingSinceMs = 0;
  /** When there was no place for the last time, monotonic ms. */
  #refusedAtMs = -Infinity;

  /**
   * @param totals of all queues together.
   * @param emptied is called when no call waits any more.
   */
  constructor(env: Environment, totals: { waiting: number }, emptied: () => void) {
    this.#env = env;
    this.#totals = totals;
    this.#emptied = emptied;
    this.#calls = new DeadlineList(env.clock, env.config.queueTimeoutMs);
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Since when the oldest one waits, monotonic ms; Infinity when none does. */
  get sinceMs(): number {
    return this.#calls.first?.times.arrivedAtMs ?? Infinity;
  }

  /** How long each has waited, ms. */
  *waitsMs(): Generator<number> {
    const nowMs = this.#env.clock.nowMs();
    for (const { times } of this.#calls) yield nowMs - times.arrivedAtMs;
  }

  /** @returns ERR_SCHED_QUEUE_FULL when there is no place for it. */
  add(call: Invocation, service: QueueService): HobError | undefined {
    const { queueMax, queueTotalMax } = this.#env.config;
    const nowMs = this.#env.clock.nowMs();
    if (this.size === 0) this.#waitingSinceMs = nowMs;
    if (this.size >= Math.min(queueMax, this.#placesMax(nowMs, service)) || this.#totals.waiting >= queueTotalMax) {
      this.#refusedAtMs = nowMs;
      return fail('ERR_SCHED_QUEUE_FULL', [this.size]);
    }
    this.#totals.waiting += 1;
    this.#calls.add(call, nowMs);
    return undefined;
  }

  /** Takes those that wait longest, as long as the container has room for one more. */
  *serve(container: { readonly hasRoom: boolean }): Generator<Invocation> {
    for (let call = this.#calls.first; call !== undefined && container.hasRoom; call = this.#calls.first) {
      const nowMs = this.#env.clock.nowMs();
      if (this.#servedAtMs >= this.#waitingSinceMs) this.#pace.served(nowMs - this.#servedAtMs);
      this.#servedAtMs = nowMs;
      this.delete(call);
      yield call;
    }
  }

  takeAll(): Invocation[] {
    const calls = [...this.#calls];
    for (const call of calls) this.delete(call);
    return calls;
  }

  /** It waits no more, if it did. */
  delete(call: Invocation): void {
    if (!this.#calls.delete(call)) return;
    this.#totals.waiting -= 1;
    if (this.size === 0) this.#emptied();
  }

  /**
   * How many may wait. A burst passes: as many as are likely to be served before they time out. But once some have waited all the time for
   * `queueTargetMs`, more come than are served, and a longer queue would only make all of them late. As many as are served at
   * once may wait even so, that there is a next one when a slow call ends.
   */
  #placesMax(nowMs: number, { slots, isKnown }: QueueService): number {
    if (!isKnown) return Infinity;
    const { queueTargetMs, queueTimeoutMs } = this.#env.config;
    // In a flood, too, there are moments when nobody waits.
    const isFlood = nowMs - this.#waitingSinceMs >= queueTargetMs || nowMs - this.#refusedAtMs < queueTargetMs;
    const waitMs = Math.min(isFlood ? queueTargetMs : Infinity, TIMEOUT_SHARE * queueTimeoutMs);
    return Math.max(slots, 1, this.#pace.servedIn(waitMs));
  }
}
