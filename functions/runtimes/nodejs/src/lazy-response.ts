import { completePrototype, copyHeaders } from './lazy-prototype.ts';

/** A response whose body is at hand as a whole. */
export interface WholeResponse {
  readonly status: number;
  /** Flat list: name, value, … */
  readonly headers: string[];
  readonly body: string | null;
}

const NativeResponse = globalThis.Response;
const TEXT_TYPE = 'text/plain;charset=UTF-8';
const JSON_TYPE = 'application/json';

/**
 * A Response with a string or nothing as its body, that becomes a real one when more than its status, headers or text is
 * asked for: the stream that a real one makes for its body is what costs most in a small invocation. What it does not
 * answer itself is asked of the real one, so it behaves as one, also for `instanceof`.
 */
class LazyResponse {
  readonly #body: string | null;
  readonly #status: number;
  readonly #type: string | undefined;
  /** Undefined: nothing but the default content type. */
  #headers: Headers | undefined;
  #real: Response | undefined;
  #consumed = false;

  /** @param type what the content type is when `init` has none. @throws as `new Response` does for bad headers. */
  constructor(body: string | null, type: string | undefined, init: ResponseInit | undefined) {
    this.#body = body;
    this.#type = type;
    this.#status = init?.status ?? 200;
    if (init?.headers !== undefined) this.#headers = this.#makeHeaders(init.headers);
  }

  get status(): number {
    return this.#status;
  }

  get ok(): boolean {
    return this.#status < 300;
  }

  get statusText(): string {
    return '';
  }

  get headers(): Headers {
    return (this.#headers ??= this.#makeHeaders());
  }

  get bodyUsed(): boolean {
    return this.#consumed || (this.#real?.bodyUsed ?? false);
  }

  async text(): Promise<string> {
    if (this.#real || this.#consumed || this.#body === null) return this.#toReal().text();
    this.#consumed = true;
    return this.#body.toWellFormed();
  }

  /** The real response of a lazy one, with its headers as they are now; any other value as it is. */
  static toReal(this: void, value: unknown): unknown {
    return typeof value === 'object' && value !== null && #body in value ? value.#toReal() : value;
  }

  /** What a lazy response consists of, if nothing has read its body or made it real. */
  static take(this: void, value: object): WholeResponse | undefined {
    if (!(#body in value) || value.#real || value.#consumed) return undefined;
    value.#consumed = value.#body !== null;
    return { status: value.#status, headers: value.#headerList(), body: value.#body };
  }

  #headerList(): string[] {
    if (!this.#headers) return this.#type === undefined ? [] : ['content-type', this.#type];
    return headerList(this.#headers);
  }

  #makeHeaders(init?: ResponseInit['headers']): Headers {
    const headers = new Headers(init);
    if (this.#type !== undefined && !headers.has('content-type')) headers.set('content-type', this.#type);
    return headers;
  }

  #toReal(): Response {
    const real = (this.#real ??= this.#makeReal());
    if (this.#headers !== real.headers) copyHeaders(this.headers, real.headers);
    return real;
  }

  #makeReal(): Response {
    const real = new NativeResponse(this.#body, { status: this.#status });
    // What was read already must be unusable in the real one too.
    if (this.#consumed) real.text().catch(() => undefined);
    return real;
  }
}

/** What a response consists of when that is known without reading it; its body then counts as read. */
export const takeWholeResponse = LazyResponse.take;

/** Headers as a flat list: name, value, … A cookie is an entry of its own. */
export function headerList(headers: Headers): string[] {
  const list: string[] = [];
  for (const [name, value] of headers) list.push(name, value);
  return list;
}

/** The constructor that is to be the global `Response`: it makes lazy ones where it can. */
export const ResponseForFunctions: typeof Response = new Proxy(NativeResponse, {
  construct(target, args: [unknown?, unknown?], newTarget): object {
    const [body, init] = args;
    if (newTarget === ResponseForFunctions && isText(body) && isSimple(init, body)) {
      return new LazyResponse(body ?? null, typeof body === 'string' ? TEXT_TYPE : undefined, init);
    }
    return Reflect.construct(target, args, newTarget) as object;
  },
  get: (target, key, receiver): unknown => (key === 'json' ? json : Reflect.get(target, key, receiver)),
});

completePrototype({
  prototype: LazyResponse.prototype,
  native: NativeResponse,
  constructor: ResponseForFunctions,
  toReal: (value) => LazyResponse.toReal(value) as Response,
});

function json(data: unknown, init?: ResponseInit): object {
  const text: unknown = JSON.stringify(data);
  if (typeof text !== 'string' || !isSimple(init, text)) return NativeResponse.json(data, init);
  return new LazyResponse(text, JSON_TYPE, init);
}

function isText(body: unknown): body is string | null | undefined {
  return typeof body === 'string' || body === null || body === undefined;
}

/** Whether everything that `init` asks for is known to be right and kept by a LazyResponse. */
function isSimple(init: unknown, body: string | null | undefined): init is ResponseInit | undefined {
  if (init === undefined) return true;
  if (typeof init !== 'object' || init === null) return false;
  const { status = 200, statusText = '' } = init as { status?: unknown; statusText?: unknown };
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) return false;
  const forbidsBody = status === 204 || status === 205 || status === 304;
  return statusText === '' && !(forbidsBody && typeof body === 'string');
}
