import type { Frame, HeadPayload } from '@hob/contracts';
import { readHead } from './container-frames.ts';

/** The largest HEAD that is kept to be compared with the next one, bytes: most have some hundred. */
const KEPT_BYTES_MAX = 1024;

/** A HEAD that was read. Nothing of it may be changed: it may come again. */
export interface Head extends HeadPayload {
  /** What the response says that its length is; 0 when it does not. */
  readonly declaredBytes: number;
  /** See `ResponseHead`. */
  readonly notes: { clean?: unknown };
}

/**
 * Reads the HEADs of one container. A function's responses mostly have the same one, and to compare its bytes takes a tenth of
 * the time that reading it does.
 */
export class HeadReader {
  #bytes: Buffer | undefined;
  #head: Head | undefined;

  /** @returns the same object while the bytes are the same. @throws as `readHead` */
  read(frame: Frame): Head {
    const { payload } = frame;
    if (this.#head !== undefined && this.#bytes?.equals(payload) === true) return this.#head;
    const { status, headers } = readHead(frame);
    const head = { status, headers, declaredBytes: declaredBytes(headers), notes: {} };
    if (payload.byteLength <= KEPT_BYTES_MAX) {
      this.#bytes = Buffer.from(payload);
      this.#head = head;
    }
    return head;
  }
}

function declaredBytes(headers: readonly string[]): number {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] === 'content-length') return Number(headers[at + 1]);
  }
  return 0;
}
