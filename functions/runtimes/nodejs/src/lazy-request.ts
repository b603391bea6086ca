import { completePrototype, copyHeaders } from './lazy-prototype.ts';
import type { RequestBody } from './request-body.ts';

/** What a request is made from. */
export interface RequestParts {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  /** Gives a flat list: name, value, …; called when they are first needed. */
  readonly headers: () => readonly string[];
  readonly body: RequestBody | undefined;
  /** Gives the signal that the request follows; called when it is first needed. */
  readonly signal: () => AbortSignal;
}

const NativeRequest = globalThis.Request;
const utf8 = new TextDecoder();

/**
 * A Request that becomes a real one when more than its URL, method, headers, signal or whole body is asked for: a real
 * one costs as much as all the rest of a small invocation. What it does not answer itself is asked of the real one, so
 * it behaves as one, also for `instanceof`. Only native code could tell: `RequestForFunctions` and `withRealRequest`
 * stand before that.
 */
class LazyRequest {
  readonly #parts: RequestParts;
  #url: string | undefined;
  #headers: Headers | undefined;
  #real: Request | undefined;
  /** The body, when it was read without a real request. */
  #consumed: Uint8Array | undefined;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  get url(): string {
    return (this.#url ??= new URL(this.#parts.url).href);
  }

  get method(): string {
    return this.#parts.method;
  }

  get signal(): AbortSignal {
    return this.#parts.signal();
  }

  get headers(): Headers {
    return (this.#headers ??= this.#real?.headers ?? new Headers(pairs(this.#parts.headers())));
  }

  get bodyUsed(): boolean {
    return this.#consumed !== undefined || (this.#real?.bodyUsed ?? false);
  }

  async text(): Promise<string> {
    const bytes = this.#consume();
    return bytes ? utf8.decode(bytes) : this.#toReal().text();
  }

  async json(): Promise<unknown> {
    const bytes = this.#consume();
    return bytes ? JSON.parse(utf8.decode(bytes)) : this.#toReal().json();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = this.#consume();
    return bytes ? new Uint8Array(bytes).buffer : this.#toReal().arrayBuffer();
  }

  async bytes(): Promise<Uint8Array> {
    const bytes = this.#consume();
    return bytes ? new Uint8Array(bytes) : this.#toReal().bytes();
  }

  /** The real request of a lazy one, with its headers as they are now; any other value as it is. */
  static toReal(this: void, value: unknown): unknown {
    return typeof value === 'object' && value !== null && #parts in value ? value.#toReal() : value;
  }

  #toReal(): Request {
    const real = (this.#real ??= this.#makeReal());
    if (this.#headers && this.#headers !== real.headers) copyHeaders(this.#headers, real.headers);
    return real;
  }

  /** Takes the body if it is complete and nothing has read it. */
  #consume(): Uint8Array | undefined {
    if (this.#real || this.#consumed) return undefined;
    this.#consumed = this.#parts.body?.takeWhole();
    return this.#consumed;
  }

  #makeReal(): Request {
    const { method, url, headers, body, signal } = this.#parts;
    const init: RequestInit = { method, headers: this.#headers ?? pairs(headers()), signal: signal() };
    if (body) {
      init.body = this.#consumed ?? body.takeWhole() ?? body.toStream();
      init.duplex = 'half';
    }
    const real = new NativeRequest(url, init);
    // What was read already must be unusable in the real one too.
    if (this.#consumed) real.arrayBuffer().catch(() => undefined);
    return real;
  }
}

/** The Request that a handler gets. Its body, if it comes in parts, is read as the handler reads it. */
export function makeRequest(parts: RequestParts): Request {
  // Its prototype is completed below with everything that a Request has.
  const request: unknown = new LazyRequest(parts);
  return request as Request;
}

/** Wraps a function that hands its first argument to native code: a lazy Request is made real before. */
export function withRealRequest(call: typeof fetch): typeof fetch {
  return async function fetch(input, init) {
    return call(LazyRequest.toReal(input) as Request, init);
  };
}

/** The constructor that is to be the global `Request`: it also takes lazy ones. */
export const RequestForFunctions: typeof Request = new Proxy(NativeRequest, {
  construct: (target, [input, ...rest]: unknown[], newTarget): object =>
    Reflect.construct(target, [LazyRequest.toReal(input), ...rest], newTarget) as object,
});

completePrototype({
  prototype: LazyRequest.prototype,
  native: NativeRequest,
  constructor: RequestForFunctions,
  toReal: (value) => LazyRequest.toReal(value) as Request,
});

function pairs(list: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let at = 0; at + 1 < list.length; at += 2) result.push([list[at] as string, list[at + 1] as string]);
  return result;
}
