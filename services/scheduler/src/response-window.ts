import { encodeCredit, STREAM_WINDOW_BYTES } from '@hob/contracts';
import { violation } from './container-frames.ts';
import type { Lease } from './lease.ts';

/** Half of the window: credit is given in such steps, so that small responses cost none. */
const CREDIT_STEP_BYTES = STREAM_WINDOW_BYTES / 2;

/** How much of a response the container may send ahead of its reader. */
export class ResponseWindow {
  #creditBytes = STREAM_WINDOW_BYTES;
  #owedBytes = 0;
  #isReaderFull = false;

  /** The container sent this much. @throws ERR_FN_PROTOCOL when it was not allowed to. */
  receive(bytes: number): void {
    if (bytes > this.#creditBytes) throw violation('BODY over its credit');
    this.#creditBytes -= bytes;
    this.#owedBytes += bytes;
  }

  /** The reader took it. @param hasRoom false: no credit until `resume`. */
  taken(lease: Lease, hasRoom: boolean): void {
    this.#isReaderFull = !hasRoom;
    this.#grant(lease);
  }

  /** The reader has room again. */
  resume(lease: Lease): void {
    this.#isReaderFull = false;
    this.#grant(lease);
  }

  #grant(lease: Lease): void {
    if (this.#isReaderFull || this.#owedBytes < CREDIT_STEP_BYTES) return;
    lease.send(encodeCredit(lease.stream, this.#owedBytes));
    this.#creditBytes += this.#owedBytes;
    this.#owedBytes = 0;
  }
}
