import { clearTimeout, setTimeout } from 'node:timers';
import type { InvokePayload } from '@hob/contracts/protocol';
import { monotonicMs } from './clocks.ts';

const { now } = Date;

/**
 * The abort signal of one invocation. Most handlers never look at it, so it is made when it is asked for.
 *
 * The deadline is told by the wall clock, which is looked at once, as it may be set during the invocation.
 */
export class InvocationSignal {
  readonly #endMs: number;
  readonly #graceMs: number;
  #controller: AbortController | undefined;
  #reason: DOMException | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(payload: InvokePayload) {
    this.#endMs = monotonicMs() + payload.deadlineMs - now();
    this.#graceMs = payload.graceMs;
  }

  /** Until the deadline, ms. */
  get leftMs(): number {
    return Math.max(0, this.#endMs - monotonicMs());
  }

  /** The signal: aborted by `abort`, or with a TimeoutError shortly before the deadline. */
  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    this.#controller = new AbortController();
    if (this.#reason) this.#controller.abort(this.#reason);
    else if (!this.#closed) {
      const expire = (): void => this.abort(new DOMException('the deadline of the invocation is near', 'TimeoutError'));
      this.#timer = setTimeout(expire, Math.max(0, this.leftMs - this.#graceMs));
    }
    return this.#controller.signal;
  }

  /** Aborts; only the first reason counts. */
  abort(reason: DOMException): void {
    if (this.#closed || this.#reason) return;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
  }

  /** The invocation is over: nothing aborts any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
