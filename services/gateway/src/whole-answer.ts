import {
  type CallAccount,
  fail,
  type FunctionFailure,
  type HobError,
  type InvocationHandle,
  type InvocationRequest,
  type InvocationSink,
  type Invoker,
  mayHaveRun,
  type ResponseHead,
} from '@hob/contracts';

/** The whole answer of a function. */
export interface WholeAnswer {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

/** What a call failed with. */
export interface FailedCall {
  readonly error: HobError;
  /** The call may have reached the function. */
  readonly mayHaveRun: boolean;
}

/** Collects an answer. */
class Collector implements InvocationSink {
  readonly #ended = Promise.withResolvers<WholeAnswer | FailedCall>();
  readonly #bytesMax: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #head: ResponseHead | undefined;
  handle: InvocationHandle | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get ended(): Promise<WholeAnswer | FailedCall> {
    return this.#ended.promise;
  }

  head(head: ResponseHead): void {
    this.#head = head;
  }

  chunk(bytes: Uint8Array): boolean {
    this.#bytes += bytes.byteLength;
    if (this.#bytes <= this.#bytesMax) this.#chunks.push(Buffer.from(bytes));
    else {
      this.#failed(fail('ERR_FN_RESPONSE_TOO_LARGE', [this.#bytesMax]), true);
      this.handle?.cancel('cancelled');
    }
    return true;
  }

  end(): void {
    if (this.#head === undefined) this.#failed(fail('ERR_FN_BAD_RESPONSE', ['it ended before its head']), true);
    else this.#ended.resolve({ head: this.#head, body: Buffer.concat(this.#chunks) });
  }

  fail(error: HobError, _failure?: FunctionFailure, account?: CallAccount): void {
    this.#failed(error, mayHaveRun(error, account));
  }

  drain(): void {
    // The body was written in one piece.
  }

  #failed(error: HobError, hasRun: boolean): void {
    this.#ended.resolve({ error, mayHaveRun: hasRun });
  }
}

/**
 * Makes a call and waits for its whole answer, or for what it failed with: ERR_FN_RESPONSE_TOO_LARGE when the body is larger than `bytesMax`,
 * which ends the call. Never rejects.
 */
export function wholeAnswer(
  invoker: Invoker,
  request: InvocationRequest,
  { body, bytesMax }: { readonly body: Uint8Array | undefined; readonly bytesMax: number },
): Promise<WholeAnswer | FailedCall> {
  const sink = new Collector(bytesMax);
  sink.handle = invoker.invoke(request, sink);
  if (body !== undefined) {
    sink.handle.write(body);
    sink.handle.end();
  }
  return sink.ended;
}
