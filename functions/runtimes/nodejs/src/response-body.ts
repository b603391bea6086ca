import { FLAG_END, FRAME_PAYLOAD_BYTES_MAX, FrameType } from '@hob/contracts/frames';
import type { FrameSink } from './frame-sink.ts';

/** Sends the body of a response within the credit that the host gives, and as it takes what all responses send. */
export class ResponseBody {
  readonly #stream: number;
  readonly #sink: FrameSink;
  #creditBytes: number;
  #stopped = false;
  #reader: ReadableStreamDefaultReader<unknown> | undefined;
  /** Called once when credit or room comes, or sending is to stop. */
  #wake: (() => void) | undefined;

  /** @param creditBytes how many bytes may go before the host gives more. */
  constructor(stream: number, sink: FrameSink, creditBytes: number) {
    this.#stream = stream;
    this.#sink = sink;
    this.#creditBytes = creditBytes;
  }

  /** Lets `bytes` more bytes go. */
  grant(bytes: number): void {
    this.#creditBytes += bytes;
    this.#notify();
  }

  /** Stops sending: what is being sent ends early, and its source is cancelled with `reason`. */
  stop(reason: unknown): void {
    this.#stopped = true;
    this.#notify();
    // A source that fails to cancel has nobody left to tell.
    this.#reader?.cancel(reason).catch(() => undefined);
  }

  /** Sends bytes that are all there. @returns false when it was stopped. */
  async sendBytes(bytes: Uint8Array): Promise<boolean> {
    return (await this.#sendPart(bytes)) && this.#sendEnd();
  }

  /**
   * Sends a stream as it comes, reading no faster than the host takes it.
   *
   * @returns false when it was stopped.
   * @throws what the stream fails with; a TypeError for a chunk that is no Uint8Array.
   */
  async sendStream(source: ReadableStream<unknown>): Promise<boolean> {
    const reader = source.getReader();
    this.#reader = reader;
    for (;;) {
      const { done, value } = await reader.read();
      if (this.#stopped) return false;
      if (done) return this.#sendEnd();
      if (!(value instanceof Uint8Array)) {
        const error = new TypeError(`a response body's chunks must be Uint8Array, not ${typeof value}`);
        reader.cancel(error).catch(() => undefined);
        throw error;
      }
      if (!(await this.#sendPart(value))) return false;
    }
  }

  async #sendPart(bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.byteLength;) {
      while ((this.#creditBytes === 0 || !this.#sink.hasRoom) && !this.#stopped) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (!this.#sink.hasRoom) this.#sink.whenRoom(() => this.#notify());
        });
      }
      if (this.#stopped) return false;
      const size = Math.min(bytes.byteLength - at, this.#creditBytes, FRAME_PAYLOAD_BYTES_MAX);
      this.#creditBytes -= size;
      this.#sink.send({ type: FrameType.BODY, stream: this.#stream, payload: bytes.subarray(at, at + size) });
      at += size;
    }
    return true;
  }

  #sendEnd(): boolean {
    this.#sink.send({ type: FrameType.BODY, stream: this.#stream, flags: FLAG_END });
    return true;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
