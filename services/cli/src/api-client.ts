import type { Readable } from 'node:stream';
import { catalogue, type ErrorCode, fail, HobError } from '@hob/contracts';
import type { Agent, Dispatcher } from 'undici';

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;
/** How much is read of an answer that is needed as a whole. */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024;

/** A request to the server. */
export interface ApiRequest {
  readonly method: string;
  /** As it goes over the wire: encoded, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Readable;
  /** How long to wait for the head of the answer, and then for more of its body, ms. 0 waits for good. */
  readonly headTimeoutMs?: number;
  readonly bodyTimeoutMs?: number;
}

export type ApiResponse = Dispatcher.ResponseData;

/** A failure as the server tells it; RFC 9457 with hob's members. */
interface Problem {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly failure?: { readonly name: string; readonly message: string; readonly stack: string };
}

/** An error that the server answered with. */
export class ServerError extends HobError {
  /** What the function threw, when the server says it. */
  readonly failureStack: string | undefined;

  constructor(problem: Problem) {
    super(problem.code, problem.detail);
    this.failureStack = problem.failure?.stack;
  }
}

/** Speaks to one hob server. Every request ends when `signal` is aborted, by throwing its reason. */
export class ApiClient {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;
  #agent: Promise<Agent> | undefined;

  constructor(options: { readonly url: string; readonly token: string | undefined; readonly signal: AbortSignal }) {
    this.url = options.url;
    this.#token = options.token;
    this.#signal = options.signal;
  }

  /**
   * Sends a request and gives the answer's head, whatever its status; the caller reads or destroys the body.
   *
   * @throws ERR_CLI_UNREACHABLE when no head comes.
   */
  async send(request: ApiRequest): Promise<ApiResponse> {
    const { method, path, headers, body, headTimeoutMs, bodyTimeoutMs } = request;
    const authorization = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    try {
      const agent = await (this.#agent ??= openAgent());
      return await agent.request({
        origin: this.url,
        method,
        path,
        headers: { ...authorization, ...headers },
        body: body ?? null,
        signal: this.#signal,
        headersTimeout: headTimeoutMs ?? ANSWER_TIMEOUT_MS,
        bodyTimeout: bodyTimeoutMs ?? ANSWER_TIMEOUT_MS,
      });
    } catch (cause) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw fail('ERR_CLI_UNREACHABLE', [this.url, reasonOf(cause)], { cause });
    }
  }

  /**
   * Sends a request and reads its answer as JSON; undefined for an answer without a body.
   *
   * @throws ServerError, ERR_CLI_UNREACHABLE, ERR_CLI_BAD_ANSWER
   */
  async json(request: ApiRequest): Promise<unknown> {
    const response = await this.send(request);
    if (response.statusCode >= 400) throw await this.problem(response);
    const text = await this.text(response);
    if (text === '') return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw fail('ERR_CLI_BAD_ANSWER', [this.url, 'it is not JSON'], { cause });
    }
  }

  /** Reads a whole body as text. @throws ERR_CLI_BAD_ANSWER when it is too long or ends early. */
  async text(response: ApiResponse): Promise<string> {
    return (await this.bytes(response)).toString();
  }

  /** Reads a whole body. @throws ERR_CLI_BAD_ANSWER when it is too long or ends early. */
  async bytes(response: ApiResponse): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this.chunks(response)) {
      bytes += chunk.byteLength;
      if (bytes > WHOLE_BYTES_MAX) throw fail('ERR_CLI_BAD_ANSWER', [this.url, `it is over ${WHOLE_BYTES_MAX} bytes`]);
      pieces.push(chunk);
    }
    return Buffer.concat(pieces);
  }

  /** The body as it comes. @throws ERR_CLI_BAD_ANSWER when it ends early. */
  async *chunks(response: ApiResponse): AsyncGenerator<Uint8Array> {
    const body: AsyncIterable<Uint8Array> = response.body;
    try {
      yield* body;
    } catch (cause) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw fail('ERR_CLI_BAD_ANSWER', [this.url, `it ended early (${reasonOf(cause)})`], { cause });
    }
  }

  /** The error that an answer with a status of 400 or more stands for. */
  async problem(response: ApiResponse): Promise<HobError> {
    const text = await this.text(response);
    return problemOf(text) ?? fail('ERR_CLI_BAD_ANSWER', [this.url, `status ${response.statusCode}`]);
  }

  /** Cuts what is still running. */
  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }
}

/** Loading undici takes as long as all else that `hob` loads, and `hob serve` speaks to no server. */
async function openAgent(): Promise<Agent> {
  const { default: undici } = await import('undici');
  return new undici.Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });
}

/** The error in a problem document, or undefined when the text is none of hob's. */
export function problemOf(text: string): ServerError | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('code' in value) || !('detail' in value)) return undefined;
  if (typeof value.code !== 'string' || !(value.code in catalogue) || typeof value.detail !== 'string')
    return undefined;
  return new ServerError(value as Problem);
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message !== '' ? error.message : 'code' in error ? String(error.code) : error.name;
}
