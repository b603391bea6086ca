/**
 * The frame codec: the one module that both ends of a container's socket use, and both ends of a gateway worker's.
 *
 * A frame is a header of 10 bytes, then its payload:
 *
 *     u32 LE payload length | u8 type | u8 flags | u32 LE stream
 *
 * The stream is the number of an invocation within its container, counted from 1; 0 speaks of the container itself.
 * Nothing is trusted: a length over the limit or an unknown type is a coded error, after which the decoder refuses
 * everything, because the boundary of the next frame is unknown.
 */
import { fail } from './hob-error.ts';

export const FRAME_HEADER_BYTES = 10;
/** The largest payload. Longer things (code, bodies) are sent in several frames. */
export const FRAME_PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Set on the last frame of a body, of code, or on an INVOKE or HEAD that has no body. */
export const FLAG_END = 1;
/** How many body bytes a sender may have outstanding on a stream before it waits for CREDIT. */
export const STREAM_WINDOW_BYTES = 256 * 1024;

/**
 * Every type of frame; h→c is from the host to the container. `protocol.ts` has the payloads. Between the server and its gateway
 * workers the same frames speak of calls, the server in the place of the container; s→w and w→s are theirs alone.
 */
export const FrameType = {
  /** h→c JSON ClaimPayload; followed by CODE frames. */
  CLAIM: 1,
  /** h→c bytes of the code, FLAG_END on the last. */
  CODE: 2,
  /** Both: bytes of a V8 code cache, FLAG_END on the last. h→c between CLAIM and CODE; c→h answers COMPILE. */
  CACHE: 3,
  /** h→c JSON CompilePayload; followed by CODE. The code is compiled, never run; answered by CACHE. */
  COMPILE: 4,
  /** h→c JSON InvokePayload. FLAG_END: there is no body. */
  INVOKE: 5,
  /** Both: body bytes, FLAG_END on the last. */
  BODY: 6,
  /** Both: u32 LE, how many more body bytes the other end may send on this stream. */
  CREDIT: 7,
  /** h→c JSON CancelPayload. */
  CANCEL: 8,
  /** c→h JSON ParkedPayload: the container runs its shim and waits to be claimed. */
  PARKED: 9,
  /** c→h JSON LoadedPayload. */
  LOADED: 10,
  /** c→h JSON FailurePayload: module initialisation failed; the container ends. */
  LOAD_FAILED: 11,
  /** c→h JSON HeadPayload: the response's status and headers. FLAG_END: there is no body. */
  HEAD: 12,
  /**
   * c→h no payload: body sent, `waitUntil` settled, the stream is over. s→w: the function has sent all of its response, and more
   * of it comes when there is credit.
   */
  DONE: 13,
  /** c→h JSON FailurePayload: the invocation failed; no DONE follows. */
  ERROR: 14,
  /** c→h JSON LogPayload: one line of output of the stream's invocation. */
  LOG: 15,
  /** c→h JSON ExitPayload: the container is about to end itself. */
  EXIT: 16,
  /** s→w JSON: what a worker serves with. Its first frame. */
  SETUP: 17,
  /** s→w JSON in pieces, FLAG_END on the last: all versions of one function, none when it was removed. */
  FUNCTION: 18,
  /** s→w, and w→s with the same stream number, which here counts: all frames before it were taken. */
  SYNC: 19,
  /** s→w no payload: take no more requests, and end with the last one. */
  DRAIN: 20,
  /** w→s no payload: the response of the stream has left or never will; the stream is over. */
  CLOSED: 21,
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

const names = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

/** The name of a frame type, for messages. */
export function frameTypeName(type: number): string {
  return names.get(type) ?? `type ${type}`;
}

/** A decoded frame. `payload` is a view of the received bytes, valid for good (it is never overwritten). */
export interface Frame {
  readonly type: FrameType;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const NO_BYTES = Buffer.alloc(0);

/**
 * Writes one frame.
 *
 * @param payload a string is sent as UTF-8; at most FRAME_PAYLOAD_BYTES_MAX bytes.
 * @throws ERR_FRAME_TOO_LARGE
 */
export function encodeFrame(
  type: FrameType,
  stream: number,
  payload: Uint8Array | string = NO_BYTES,
  flags = 0,
): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
  if (bytes > FRAME_PAYLOAD_BYTES_MAX) throw fail('ERR_FRAME_TOO_LARGE', [bytes, FRAME_PAYLOAD_BYTES_MAX]);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bytes);
  frame.writeUInt32LE(bytes, 0);
  frame[4] = type;
  frame[5] = flags;
  frame.writeUInt32LE(stream, 6);
  if (typeof payload === 'string') frame.write(payload, FRAME_HEADER_BYTES);
  else frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** A frame whose payload is JSON. */
export function encodeJson(type: FrameType, stream: number, payload: object, flags = 0): Buffer {
  return encodeFrame(type, stream, JSON.stringify(payload), flags);
}

/** A CREDIT frame for `bytes` more bytes. */
export function encodeCredit(stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32LE(bytes, 0);
  return encodeFrame(FrameType.CREDIT, stream, payload);
}

/** Cuts bytes of any length into frames of one type, FLAG_END on the last. Empty bytes make one frame. */
export function encodeChunks(type: FrameType, stream: number, bytes: Uint8Array): Buffer[] {
  const frames: Buffer[] = [];
  let at = 0;
  do {
    const end = Math.min(at + FRAME_PAYLOAD_BYTES_MAX, bytes.byteLength);
    frames.push(encodeFrame(type, stream, bytes.subarray(at, end), end === bytes.byteLength ? FLAG_END : 0));
    at = end;
  } while (at < bytes.byteLength);
  return frames;
}

/**
 * The payload as a JSON object.
 *
 * @throws ERR_FRAME_BAD_PAYLOAD when it is not UTF-8, not JSON, or not an object.
 */
export function decodeJson(frame: Frame): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(frame.payload));
  } catch (cause) {
    throw fail('ERR_FRAME_BAD_PAYLOAD', [frameTypeName(frame.type), 'not JSON'], { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fail('ERR_FRAME_BAD_PAYLOAD', [frameTypeName(frame.type), 'not a JSON object']);
  }
  return value as Record<string, unknown>;
}

/**
 * The number of bytes that a CREDIT frame grants.
 *
 * @throws ERR_FRAME_BAD_PAYLOAD when the payload is not 4 bytes.
 */
export function decodeCredit(frame: Frame): number {
  const { payload } = frame;
  if (payload.byteLength !== 4) throw fail('ERR_FRAME_BAD_PAYLOAD', ['CREDIT', 'not 4 bytes']);
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true);
}

/**
 * Cuts a byte stream into frames. Feed it what the socket gives; it calls `onFrame` once per complete frame.
 * After it has thrown once, every later call throws the same error.
 */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  /** Holds the start of an incomplete frame in its first `#heldBytes`; as long as those, it is a view of a chunk. */
  #held: Buffer = NO_BYTES;
  #heldBytes = 0;
  /** How many bytes the incomplete frame has at least: a header, or header and payload once the header is known. */
  #needed = FRAME_HEADER_BYTES;
  #failure: { readonly error: unknown } | undefined;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** How many received bytes wait for the rest of their frame: always less than a header and a payload. */
  get bufferedBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the next bytes of the stream. It keeps views of `chunk`, so the caller must not overwrite it.
   *
   * @throws ERR_FRAME_TOO_LARGE, ERR_FRAME_UNKNOWN_TYPE, and whatever `onFrame` throws.
   */
  push(chunk: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    try {
      while (this.#heldBytes > 0 && bytes.byteLength > 0) bytes = this.#complete(bytes);
      if (bytes.byteLength > 0) this.#cut(bytes);
    } catch (error) {
      this.#failure = { error };
      this.#hold(NO_BYTES);
      throw error;
    }
  }

  /** Adds to the held bytes what they need, and cuts them when they have it. @returns what is left of `bytes`. */
  #complete(bytes: Buffer): Buffer {
    const taken = Math.min(this.#needed - this.#heldBytes, bytes.byteLength);
    const total = this.#heldBytes + taken;
    if (total > this.#held.byteLength) {
      // Grown by doubling, not kept as a list of pieces: a sender of single bytes must cost no more than its bytes.
      const grown = Buffer.allocUnsafe(Math.min(this.#needed, Math.max(total, 2 * this.#held.byteLength)));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes, 0, taken);
    this.#heldBytes = total;
    if (total === this.#needed) {
      const whole = this.#held.subarray(0, total);
      this.#hold(NO_BYTES);
      this.#cut(whole);
    }
    return bytes.subarray(taken);
  }

  /** Reports every complete frame and holds the rest. */
  #cut(bytes: Buffer): void {
    let at = 0;
    this.#needed = FRAME_HEADER_BYTES;
    while (bytes.byteLength - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUInt32LE(at);
      const type = bytes[at + 4] as number;
      if (length > FRAME_PAYLOAD_BYTES_MAX) throw fail('ERR_FRAME_TOO_LARGE', [length, FRAME_PAYLOAD_BYTES_MAX]);
      if (!names.has(type)) throw fail('ERR_FRAME_UNKNOWN_TYPE', [type]);
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > bytes.byteLength) {
        this.#needed = end - at;
        break;
      }
      this.#onFrame({
        type: type as FrameType,
        flags: bytes[at + 5] as number,
        stream: bytes.readUInt32LE(at + 6),
        payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
      });
      at = end;
    }
    this.#hold(bytes.subarray(at));
  }

  #hold(bytes: Buffer): void {
    this.#held = bytes;
    this.#heldBytes = bytes.byteLength;
  }
}
