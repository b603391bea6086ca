import { creditPayload, FrameType, STREAM_WINDOW_BYTES } from '@hob/contracts/frames';
import type { FrameSink } from './frame-sink.ts';

const NO_BYTES = new Uint8Array(0);

/**
 * The body of a request, as it comes in BODY frames. The host may send STREAM_WINDOW_BYTES before it is read, and as
 * much again as is read; so a body that nobody reads takes no more memory than that.
 */
export class RequestBody {
  readonly #stream: number;
  readonly #sink: FrameSink;
  #chunks: Uint8Array[] = [];
  #ended = false;
  #discarding = false;
  #failure: Error | undefined;
  #owedBytes = 0;
  /** Called once at the next change: a chunk, the end, or a failure. */
  #wake: (() => void) | undefined;

  constructor(stream: number, sink: FrameSink) {
    this.#stream = stream;
    this.#sink = sink;
  }

  /** Takes the payload of a BODY frame; it is copied. */
  push(payload: Uint8Array, isLast: boolean): void {
    if (this.#ended || this.#failure) return;
    if (this.#discarding) this.#grant(payload.byteLength);
    else if (payload.byteLength > 0) this.#chunks.push(new Uint8Array(payload));
    this.#ended = isLast;
    this.#notify();
  }

  /** Makes reading fail from now on: the caller is gone. */
  abort(reason: Error): void {
    if (this.#ended) return;
    this.#failure = reason;
    this.#chunks = [];
    this.#notify();
  }

  /** Drops what has come and what will come, and lets the host send all of it: nobody is going to read it. */
  discard(): void {
    this.#discarding = true;
    for (const chunk of this.#chunks.splice(0)) this.#grant(chunk.byteLength);
  }

  /** The whole body, when all of it is there; then it counts as read. */
  takeWhole(): Uint8Array | undefined {
    if (!this.#ended || this.#failure) return undefined;
    const [first] = this.#chunks;
    const bytes = this.#chunks.length > 1 ? joined(this.#chunks) : first;
    this.#chunks = [];
    return bytes ?? NO_BYTES;
  }

  /** Reads all of it. @throws the reason given to `abort`. */
  async readAll(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return chunks.length === 1 && chunks[0] ? chunks[0] : joined(chunks);
      chunks.push(chunk);
    }
  }

  /** A stream of it that reads only when it is read. */
  toStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = await this.#next();
          if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
        cancel: () => this.discard(),
      },
      { highWaterMark: 0 },
    );
  }

  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#grant(chunk.byteLength);
        return chunk;
      }
      if (this.#ended || this.#discarding) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #grant(bytes: number): void {
    this.#owedBytes += bytes;
    if (this.#ended || this.#owedBytes < STREAM_WINDOW_BYTES / 2) return;
    this.#sink.send({ type: FrameType.CREDIT, stream: this.#stream, payload: creditPayload(this.#owedBytes) });
    this.#owedBytes = 0;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(chunks);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
