import {
  type CallAccount,
  type FunctionFailure,
  type HobError,
  type InvocationSink,
  type KeptAnswer,
  mayHaveRun,
  type ResponseHead,
} from '@hob/contracts';

/** Bytes as text where they are text. */
export function keptText(bytes: Buffer): Pick<KeptAnswer, 'body' | 'encoding'> {
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return { body: text, encoding: 'utf8' };
  return { body: bytes.toString('base64'), encoding: 'base64' };
}

/** How a call ended. */
export interface CallEnd {
  readonly answer?: KeptAnswer;
  readonly error?: HobError;
  /** The call may have reached the function. */
  readonly mayHaveRun: boolean;
}

/** Takes the whole answer of a call and keeps the beginning of its body. */
export class AnswerSink implements InvocationSink {
  readonly #bytesMax: number;
  readonly #chunks: Uint8Array[] = [];
  readonly #ended = Promise.withResolvers<CallEnd>();
  #head: ResponseHead | undefined;
  #keptBytes = 0;
  #bodyBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Never rejects. */
  get ended(): Promise<CallEnd> {
    return this.#ended.promise;
  }

  head(head: ResponseHead): void {
    this.#head = head;
  }

  chunk(bytes: Uint8Array): boolean {
    this.#bodyBytes += bytes.byteLength;
    const kept = bytes.subarray(0, this.#bytesMax - this.#keptBytes);
    this.#keptBytes += kept.byteLength;
    // The bytes are the frame's, whose buffer is used again.
    if (kept.byteLength > 0) this.#chunks.push(Buffer.from(kept));
    return true;
  }

  end(): void {
    const { status = 500, headers = [] } = this.#head ?? {};
    this.#ended.resolve({
      answer: {
        status,
        headers,
        ...keptText(Buffer.concat(this.#chunks)),
        bodyBytes: this.#bodyBytes,
        isCut: this.#bodyBytes > this.#keptBytes,
      },
      mayHaveRun: true,
    });
  }

  fail(error: HobError, _failure?: FunctionFailure, account?: CallAccount): void {
    this.#ended.resolve({ error, mayHaveRun: mayHaveRun(error, account) });
  }

  drain(): void {
    // The body was written in one piece.
  }
}
