/** INVOKE frames: the one kind of a container's socket that is made and read anew for each call, so that both have to be cheap. */
import { encodeFrame, FrameType } from './frames.ts';
import type { InvokePayload } from './protocol.ts';

/** A call without its headers. */
type CallStart = readonly [id: string, method: string, url: string, deadlineMs: number, graceMs: number];

/**
 * Makes the frame of a call: its start as JSON, a line end, its headers as JSON. Many functions do not look at the headers.
 *
 * @param flags FLAG_END: it has no body.
 * @throws ERR_FRAME_TOO_LARGE
 */
export function encodeInvoke(stream: number, payload: InvokePayload, flags: number): Buffer {
  const { id, method, url, headers, deadlineMs, graceMs } = payload;
  const start: CallStart = [id, method, url, deadlineMs, graceMs];
  return encodeFrame(FrameType.INVOKE, stream, `${JSON.stringify(start)}\n${JSON.stringify(headers)}`, flags);
}

/** Reads what `encodeInvoke` made, and nothing else: it comes from the host. Keeps nothing of `bytes`. */
export function decodeInvoke({ buffer, byteOffset, byteLength }: Uint8Array): InvokePayload {
  const text = Buffer.from(buffer, byteOffset, byteLength).toString();
  const end = text.indexOf('\n');
  return new ReadPayload(JSON.parse(text.slice(0, end)) as CallStart, text.slice(end + 1));
}

/** Its headers are read when they are asked for. */
class ReadPayload implements InvokePayload {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly deadlineMs: number;
  readonly graceMs: number;
  readonly #headers: string;

  constructor([id, method, url, deadlineMs, graceMs]: CallStart, headers: string) {
    this.id = id;
    this.method = method;
    this.url = url;
    this.deadlineMs = deadlineMs;
    this.graceMs = graceMs;
    this.#headers = headers;
  }

  get headers(): readonly string[] {
    return JSON.parse(this.#headers) as string[];
  }
}
