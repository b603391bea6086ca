import { encodeCredit, STREAM_WINDOW_BYTES } from './frames.ts';
import type { FrameStream } from './outgoing-body.ts';

/** Half of the window: credit is given in such steps, so that small bodies cost none. */
const CREDIT_STEP_BYTES = STREAM_WINDOW_BYTES / 2;

/** How much of a body the other end of a connection may send ahead of its reader. */
export class IncomingWindow {
  #creditBytes = STREAM_WINDOW_BYTES;
  #owedBytes = 0;
  #isReaderFull = false;

  /** The other end sent this much. @returns false when it was not allowed to: it broke the protocol. */
  receive(bytes: number): boolean {
    if (bytes > this.#creditBytes) return false;
    this.#creditBytes -= bytes;
    this.#owedBytes += bytes;
    return true;
  }

  /** The reader took it. @param hasRoom false: no credit until `resume`. */
  taken(target: FrameStream, hasRoom: boolean): void {
    this.#isReaderFull = !hasRoom;
    this.#grant(target);
  }

  /** The reader has room again. */
  resume(target: FrameStream): void {
    this.#isReaderFull = false;
    this.#grant(target);
  }

  #grant(target: FrameStream): void {
    if (this.#isReaderFull || this.#owedBytes < CREDIT_STEP_BYTES) return;
    target.send(encodeCredit(target.stream, this.#owedBytes));
    this.#creditBytes += this.#owedBytes;
    this.#owedBytes = 0;
  }
}
