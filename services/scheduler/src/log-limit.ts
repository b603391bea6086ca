import { LOG_LINE_BYTES_MAX } from '@hob/contracts';

const WINDOW_MS = 1000;
const ELLIPSIS = '…';
const ELLIPSIS_BYTES = 3;

/** How much output one container may give in each second. */
export interface LogLimits {
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Bounds the rate of one container's output, in windows of a second. What is over the bound is dropped and counted. */
export class LogLimit {
  readonly limits: LogLimits;
  #windowEndMs = 0;
  #lines = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(limits: LogLimits) {
    this.limits = limits;
  }

  /** Whether a line of this size may pass now. The first line of a window always does, so no window is silent. */
  allows(bytes: number, nowMs: number): boolean {
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_MS;
      this.#lines = 0;
      this.#bytes = 0;
    }
    const { linesPerSecond, bytesPerSecond } = this.limits;
    const fits = this.#lines < linesPerSecond && this.#bytes + bytes <= bytesPerSecond;
    if (fits || this.#lines === 0) {
      this.#lines += 1;
      this.#bytes += bytes;
      return true;
    }
    this.#dropped += 1;
    return false;
  }

  /** How many lines were dropped since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

/** A text of at most `bytesMax` bytes of UTF-8; a longer one is cut between characters and ends in `…`. */
export function cutText(text: string, bytesMax: number = LOG_LINE_BYTES_MAX): string {
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax - ELLIPSIS_BYTES));
  return text.slice(0, read) + ELLIPSIS;
}
