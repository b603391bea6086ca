import { fail, type HobError } from '@hob/contracts';
import { DeadlineList } from './deadline-list.ts';
import type { Environment } from './environment.ts';
import type { Invocation } from './invocation.ts';

/** Calls of one version that wait for a container, in the order of arrival. */
export class CallQueue {
  readonly #env: Environment;
  readonly #totals: { waiting: number };
  readonly #deadlines: DeadlineList<Invocation>;
  readonly #calls = new Set<Invocation>();

  /** @param totals of all queues together. */
  constructor(env: Environment, totals: { waiting: number }) {
    this.#env = env;
    this.#totals = totals;
    this.#deadlines = new DeadlineList(env.clock, env.config.queueTimeoutMs);
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Since when the oldest one waits, monotonic ms; Infinity when none does. */
  get sinceMs(): number {
    for (const call of this.#calls) return call.times.arrivedAtMs;
    return Infinity;
  }

  /** How long each has waited, ms. */
  *waitsMs(): Generator<number> {
    const nowMs = this.#env.clock.nowMs();
    for (const { times } of this.#calls) yield nowMs - times.arrivedAtMs;
  }

  [Symbol.iterator](): Iterator<Invocation> {
    return this.#calls.values();
  }

  /** @returns ERR_SCHED_QUEUE_FULL when there is no place for it. */
  add(call: Invocation): HobError | undefined {
    const { queueMax, queueTotalMax } = this.#env.config;
    if (this.size >= queueMax || this.#totals.waiting >= queueTotalMax) {
      return fail('ERR_SCHED_QUEUE_FULL', [Math.min(queueMax, this.#totals.waiting)]);
    }
    this.#totals.waiting += 1;
    this.#calls.add(call);
    this.#deadlines.add(call, this.#env.clock.nowMs());
    return undefined;
  }

  /** @returns false when it did not wait. */
  delete(call: Invocation): boolean {
    if (!this.#calls.delete(call)) return false;
    this.#deadlines.delete(call);
    this.#totals.waiting -= 1;
    return true;
  }
}
