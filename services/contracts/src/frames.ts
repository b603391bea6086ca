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
import { giveMemory, takeMemory } from './spare-memory.ts';

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
  /** h→c InvokePayload. FLAG_END: there is no body. */
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

/** By number. */
const names: string[] = [];
for (const [name, type] of Object.entries(FrameType)) names[type] = name;

/** The name of a frame type, for messages. */
export function frameTypeName(type: number): string {
  return names[type] ?? `type ${type}`;
}

/** A decoded frame. `payload` is never overwritten, unless its decoder lends: then it is valid until the reader returns. */
export interface Frame {
  readonly type: FrameType;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const NO_BYTES = Buffer.alloc(0);

/** What one frame is made of. A string is sent as UTF-8. */
export interface FrameParts {
  readonly type: FrameType;
  readonly flags?: number;
  readonly stream: number;
  readonly payload?: Uint8Array | string | undefined;
}

/** How many bytes a frame with this payload takes. @throws ERR_FRAME_TOO_LARGE */
export function frameBytes(payload: Uint8Array | string = NO_BYTES): number {
  const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
  if (bytes > FRAME_PAYLOAD_BYTES_MAX) throw fail('ERR_FRAME_TOO_LARGE', [bytes, FRAME_PAYLOAD_BYTES_MAX]);
  return FRAME_HEADER_BYTES + bytes;
}

/** Writes one frame to where it begins in `target`. @param bytes how many it takes, by `frameBytes`. */
export function writeFrame(target: Buffer, at: number, bytes: number, parts: FrameParts): void {
  const { type, flags = 0, stream, payload = NO_BYTES } = parts;
  target.writeUInt32LE(bytes - FRAME_HEADER_BYTES, at);
  target[at + 4] = type;
  target[at + 5] = flags;
  target.writeUInt32LE(stream, at + 6);
  if (typeof payload === 'string') target.write(payload, at + FRAME_HEADER_BYTES);
  else target.set(payload, at + FRAME_HEADER_BYTES);
}

/**
 * Makes one frame.
 *
 * @param payload a string is sent as UTF-8; at most FRAME_PAYLOAD_BYTES_MAX bytes.
 * @throws ERR_FRAME_TOO_LARGE
 */
export function encodeFrame(type: FrameType, stream: number, payload?: Uint8Array | string, flags = 0): Buffer {
  const bytes = frameBytes(payload);
  const frame = Buffer.allocUnsafe(bytes);
  writeFrame(frame, 0, bytes, { type, flags, stream, payload });
  return frame;
}

/** A frame whose payload is JSON. */
export function encodeJson(type: FrameType, stream: number, payload: object, flags = 0): Buffer {
  return encodeFrame(type, stream, JSON.stringify(payload), flags);
}

/** What a CREDIT frame for `bytes` more bytes holds. */
export function creditPayload(bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32LE(bytes, 0);
  return payload;
}

/** A CREDIT frame for `bytes` more bytes. */
export function encodeCredit(stream: number, bytes: number): Buffer {
  return encodeFrame(FrameType.CREDIT, stream, creditPayload(bytes));
}

/** Cuts bytes of any length into frames of one type, FLAG_END on the last. Empty bytes make one frame. */
export function cutPayload(type: FrameType, stream: number, bytes: Uint8Array): FrameParts[] {
  const frames: FrameParts[] = [];
  let at = 0;
  do {
    const end = Math.min(at + FRAME_PAYLOAD_BYTES_MAX, bytes.byteLength);
    frames.push({ type, stream, payload: bytes.subarray(at, end), flags: end === bytes.byteLength ? FLAG_END : 0 });
    at = end;
  } while (at < bytes.byteLength);
  return frames;
}

/** Bytes of any length as encoded frames. */
export function encodeChunks(type: FrameType, stream: number, bytes: Uint8Array): Buffer[] {
  return cutPayload(type, stream, bytes).map(({ payload, flags }) => encodeFrame(type, stream, payload, flags));
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
  readonly #lends: boolean;
  /** Holds the start of an incomplete frame in its first `#heldBytes`; its own when the decoder lends, else maybe a view of a chunk. */
  #held: Buffer = NO_BYTES;
  #heldBytes = 0;
  /** How many bytes the incomplete frame has at least: a header, or header and payload once the header is known. */
  #needed = FRAME_HEADER_BYTES;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param lends `onFrame` keeps nothing of a payload, and chunks are overwritten once they were taken: large frames take no new
   *   memory then.
   */
  constructor(onFrame: (frame: Frame) => void, lends = false) {
    this.#onFrame = onFrame;
    this.#lends = lends;
  }

  /** How many received bytes wait for the rest of their frame: always less than a header and a payload. */
  get bufferedBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the next bytes of the stream. Unless it lends, it keeps views of `chunk`, so the caller must not overwrite it.
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
    if (total > this.#held.byteLength) this.#grow(total);
    bytes.copy(this.#held, this.#heldBytes, 0, taken);
    this.#heldBytes = total;
    if (total === this.#needed) {
      const held = this.#held;
      this.#hold(NO_BYTES);
      this.#cut(held.subarray(0, total));
      if (this.#lends) giveMemory(held);
    }
    return bytes.subarray(taken);
  }

  /** Grown by doubling, not kept as a list of pieces: a sender of single bytes must cost no more than its bytes. */
  #grow(total: number): void {
    const bytes = Math.min(this.#needed, Math.max(total, 2 * this.#held.byteLength));
    const grown = this.#lends ? takeMemory(bytes) : Buffer.allocUnsafe(bytes);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    if (this.#lends && this.#held.byteLength > 0) giveMemory(this.#held);
    this.#held = grown;
  }

  /** Reports every complete frame and holds the rest. */
  #cut(bytes: Buffer): void {
    let at = 0;
    this.#needed = FRAME_HEADER_BYTES;
    while (bytes.byteLength - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUInt32LE(at);
      const type = bytes[at + 4] as number;
      if (length > FRAME_PAYLOAD_BYTES_MAX) throw fail('ERR_FRAME_TOO_LARGE', [length, FRAME_PAYLOAD_BYTES_MAX]);
      if (names[type] === undefined) throw fail('ERR_FRAME_UNKNOWN_TYPE', [type]);
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > bytes.byteLength) {
        this.#needed = end - at;
        break;
      }
      this.#onFrame({
        type: type as FrameType,
        flags: bytes[at + 5] as number,
        stream: bytes.readUInt32LE(at + 6),
        payload: length === 0 ? NO_BYTES : bytes.subarray(at + FRAME_HEADER_BYTES, end),
      });
      at = end;
    }
    this.#hold(bytes.subarray(at));
  }

  #hold(bytes: Buffer): void {
    this.#held = bytes;
    this.#heldBytes = bytes.byteLength;
    if (!this.#lends || bytes.byteLength === 0) return;
    // Half of a frame is likely followed by the other half.
    this.#held = takeMemory(Math.min(this.#needed, 2 * bytes.byteLength));
    bytes.copy(this.#held);
  }
}
