import type { InvocationSignal } from './invocation-signal.ts';

// A function may replace them later.
const { defineProperty, getPrototypeOf } = Object;

/** What a context tells of its invocation. */
export interface ContextParts {
  readonly id: string;
  readonly functionName: string;
  readonly functionVersion: number;
  /** Wall clock, ms since the epoch. */
  readonly deadlineMs: number;
  readonly signal: InvocationSignal;
  readonly waitUntil: (work: unknown) => void;
}

/**
 * The second argument of a handler. All that it has is its own, as functions pass copies on: `{ ...ctx, user }`.
 *
 * `signal` is made when it is asked for, by a getter that is the same for all contexts: when an object literal has one, V8 takes long
 * to make it, and young collections keep one in ten of them, with all that they lead to, until the next full one.
 */
export class InvocationContext {
  readonly invocationId: string;
  readonly awsRequestId: string;
  readonly functionName: string;
  readonly functionVersion: number;
  readonly deadline: number;
  declare readonly signal: AbortSignal;
  readonly waitUntil: (work: unknown) => void;
  readonly getRemainingTimeInMillis: () => number;
  readonly #signal: InvocationSignal;

  constructor({ id, functionName, functionVersion, deadlineMs, signal, waitUntil }: ContextParts) {
    this.#signal = signal;
    this.invocationId = id;
    this.awsRequestId = id;
    this.functionName = functionName;
    this.functionVersion = functionVersion;
    this.deadline = deadlineMs;
    this.waitUntil = waitUntil;
    this.getRemainingTimeInMillis = () => Math.round(signal.leftMs);
    defineProperty(this, 'signal', InvocationContext.#ownSignal);
  }

  static readonly #ownSignal: PropertyDescriptor = {
    configurable: true,
    enumerable: true,
    get(this: object): AbortSignal {
      return InvocationContext.#signalOf(this);
    },
  };

  /** @param holder the context, or what inherits from it. */
  static #signalOf(holder: object | null): AbortSignal {
    if (holder === null) throw new TypeError('this is no context of an invocation');
    if (#signal in holder) return holder.#signal.signal;
    return InvocationContext.#signalOf(getPrototypeOf(holder) as object | null);
  }
}
