import { encodeFrame, FLAG_END, FRAME_PAYLOAD_BYTES_MAX, FrameType, STREAM_WINDOW_BYTES } from './frames.ts';

/** As HTTP/2 has it: credit never adds up to more. */
export const CREDIT_BYTES_MAX = 0x7fff_ffff;

/** One stream of a connection, as those who send on it see it. */
export interface FrameStream {
  readonly stream: number;
  /** True: hold bodies back until the connection drains. */
  readonly isCongested: boolean;
  send(frame: Buffer): void;
}

/**
 * A body on its way to the other end of a connection: sent within the credit that the other end gives, kept while there is
 * none or while it has no stream yet. Its writer is asked to wait, but whatever it writes is taken.
 */
export class OutgoingBody {
  readonly #onDrain: () => void;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #creditBytes = STREAM_WINDOW_BYTES;
  #writtenBytes = 0;
  #target: FrameStream | undefined;
  /** The writer's part, and ours: the END flag is sent. */
  #isEnded: boolean;
  #isSent: boolean;
  #isWriterWaiting = false;

  /** @param onDrain called when the writer was asked to wait and may go on. */
  constructor(hasBody: boolean, onDrain: () => void) {
    this.#isEnded = !hasBody;
    this.#isSent = !hasBody;
    this.#onDrain = onDrain;
  }

  /** Bytes that the writer gave. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** All of it has left, its end too. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** @returns false when the writer is to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean {
    if (this.#isEnded || chunk.byteLength === 0) return true;
    this.#writtenBytes += chunk.byteLength;
    this.#queuedBytes += chunk.byteLength;
    this.#chunks.push(chunk);
    this.#pump();
    this.#isWriterWaiting = this.#isFull();
    return !this.#isWriterWaiting;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#pump();
  }

  /** The frames that can go at once on stream `stream`, together with what begins it. */
  firstFrames(stream: number): Buffer[] {
    const frames: Buffer[] = [];
    for (let frame = this.#nextFrame(stream); frame !== undefined; frame = this.#nextFrame(stream)) frames.push(frame);
    return frames;
  }

  /** The first frames are sent: from now on it sends by itself. */
  attach(target: FrameStream): void {
    this.#target = target;
    this.resume();
  }

  /** The other end lets `bytes` more go. @returns false when that is more than CREDIT_BYTES_MAX: it broke the protocol. */
  grant(bytes: number): boolean {
    this.#creditBytes += bytes;
    if (this.#creditBytes > CREDIT_BYTES_MAX) return false;
    this.resume();
    return true;
  }

  /** Goes on after something was in the way. */
  resume(): void {
    this.#pump();
    if (!this.#isWriterWaiting || this.#isFull()) return;
    this.#isWriterWaiting = false;
    this.#onDrain();
  }

  /** Forgets what is kept, and what is written from now on. */
  discard(): void {
    this.#chunks.length = 0;
    this.#queuedBytes = 0;
    this.#isEnded = true;
    this.#isSent = true;
    this.#target = undefined;
  }

  #isFull(): boolean {
    return this.#target === undefined ? this.#queuedBytes >= STREAM_WINDOW_BYTES : this.#queuedBytes > 0;
  }

  #pump(): void {
    const target = this.#target;
    if (target === undefined) return;
    while (!target.isCongested) {
      const frame = this.#nextFrame(target.stream);
      if (frame === undefined) return;
      target.send(frame);
    }
  }

  /** The next frame that credit allows. */
  #nextFrame(stream: number): Buffer | undefined {
    const [chunk] = this.#chunks;
    if (chunk === undefined) {
      if (!this.#isEnded || this.#isSent) return undefined;
      this.#isSent = true;
      return encodeFrame(FrameType.BODY, stream, undefined, FLAG_END);
    }
    const bytes = Math.min(chunk.byteLength, this.#creditBytes, FRAME_PAYLOAD_BYTES_MAX);
    if (bytes === 0) return undefined;
    this.#creditBytes -= bytes;
    this.#queuedBytes -= bytes;
    if (bytes === chunk.byteLength) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(bytes);
    this.#isSent = this.#isEnded && this.#chunks.length === 0;
    return encodeFrame(FrameType.BODY, stream, chunk.subarray(0, bytes), this.#isSent ? FLAG_END : 0);
  }
}
