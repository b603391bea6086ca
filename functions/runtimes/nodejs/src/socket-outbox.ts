import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { frameBytes, type FrameParts, FrameType, writeFrame } from '@hob/contracts/frames';
import type { FrameSink } from './frame-sink.ts';

/** A turn that has queued this much is written at once, so that a loop that never ends still gets its output out. */
const FLUSH_BYTES = 64 * 1024;
/** So many frames are written at once, too, so that the host passes them on while more are made. */
const FLUSH_FRAMES = 24;
/** More bodies wait for the host while so much of them does. */
const ROOM_BYTES = 512 * 1024;
/** Memory for frames that is kept when they have left. */
const KEPT_BYTES_MAX = 1024 * 1024;
const LAST_WRITE_RETRIES_MAX = 200;
const LAST_WRITE_RETRY_MS = 10;

// A function may replace these later.
const { nextTick } = process;

/**
 * Sends frames over the container's socket, those of one turn of the event loop in one system call or a few. It writes to the
 * descriptor itself, which is cheaper than through the Socket; the Socket only waits when the kernel's buffer is full.
 * So at the end of the process everything can be written synchronously without sending a byte twice. All frames are made
 * in the same piece of memory: there is nothing to collect, and no page is touched for the first time.
 */
export class SocketOutbox implements FrameSink {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #onBroken: () => void;
  readonly #flushTurn = (): void => {
    this.#scheduled = false;
    this.#flush();
  };
  /** Frames that wait, in its first `#bytes`. */
  #buffer: Buffer = Buffer.allocUnsafeSlow(FLUSH_BYTES);
  #bytes = 0;
  #bodyBytes = 0;
  #frames = 0;
  #scheduled = false;
  /** What the Socket is writing, because the kernel took no more. */
  #tail: Uint8Array | undefined;
  #tailBodyBytes = 0;
  /** The memory that the tail is in; when there is none, what the buffer is exchanged for. */
  #other: Buffer | undefined;
  /** Only while there is a tail. */
  readonly #roomWaiters: (() => void)[] = [];
  /** The process ends: what is to leave leaves now. */
  #isLast = false;

  /** @param onBroken called when the host is no longer there; the process has no purpose then. */
  constructor(fd: number, socket: Socket, onBroken: () => void) {
    this.#fd = fd;
    this.#socket = socket;
    this.#onBroken = onBroken;
  }

  get pendingBytes(): number {
    return this.#bytes + (this.#tail?.byteLength ?? 0);
  }

  get hasRoom(): boolean {
    return this.#isLast || this.#bodyBytes + this.#tailBodyBytes < ROOM_BYTES;
  }

  whenRoom(then: () => void): void {
    if (this.hasRoom) then();
    else this.#roomWaiters.push(then);
  }

  send(frame: FrameParts): void {
    const bytes = frameBytes(frame.payload);
    this.#makeRoom(bytes);
    writeFrame(this.#buffer, this.#bytes, bytes, frame);
    this.#bytes += bytes;
    if (frame.type === FrameType.BODY) this.#bodyBytes += bytes;
    this.#frames += 1;
    if (this.#bytes >= FLUSH_BYTES || this.#frames >= FLUSH_FRAMES) {
      this.#flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      nextTick(this.#flushTurn);
    }
  }

  /**
   * Writes everything that waits, synchronously, and bodies that wait for room with it: the last that it does. It waits at
   * most about two seconds for a host that does not read.
   *
   * @returns false when the host did not take all of it.
   */
  flushSync(): boolean {
    this.#isLast = true;
    for (const then of this.#roomWaiters.splice(0)) then();
    const bytes = Buffer.concat([this.#unsentTail(), this.#buffer.subarray(0, this.#bytes)]);
    this.#bytes = 0;
    let at = 0;
    for (let retries = 0; at < bytes.byteLength;) {
      const written = this.#write(bytes.subarray(at));
      if (written === undefined) return false;
      at += written;
      if (written > 0) continue;
      retries += 1;
      if (retries > LAST_WRITE_RETRIES_MAX) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WRITE_RETRY_MS);
    }
    return true;
  }

  #flush(): void {
    this.#frames = 0;
    if (this.#tail !== undefined || this.#bytes === 0) return;
    const memory = this.#buffer;
    const bytes = memory.subarray(0, this.#bytes);
    const bodyBytes = this.#bodyBytes;
    this.#bytes = 0;
    this.#bodyBytes = 0;
    const written = this.#write(bytes);
    if (written === undefined) {
      this.#onBroken();
    } else if (written < bytes.byteLength) {
      this.#tail = bytes.subarray(written);
      this.#tailBodyBytes = bodyBytes;
      this.#buffer = this.#other ?? Buffer.allocUnsafeSlow(FLUSH_BYTES);
      this.#other = memory;
      this.#socket.write(this.#tail, () => {
        this.#tail = undefined;
        this.#tailBodyBytes = 0;
        if (memory.byteLength > KEPT_BYTES_MAX) this.#other = undefined;
        this.#flush();
        while (this.hasRoom && this.#roomWaiters.length > 0) this.#roomWaiters.shift()?.();
      });
    } else if (memory.byteLength > KEPT_BYTES_MAX) {
      this.#buffer = Buffer.allocUnsafeSlow(FLUSH_BYTES);
    }
  }

  #makeRoom(bytes: number): void {
    const needed = this.#bytes + bytes;
    if (needed <= this.#buffer.byteLength) return;
    const buffer = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.byteLength));
    this.#buffer.copy(buffer, 0, 0, this.#bytes);
    this.#buffer = buffer;
  }

  /** @returns the bytes written, 0 when the kernel's buffer is full, undefined when the socket is broken. */
  #write(bytes: Uint8Array): number | undefined {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'EAGAIN' ? 0 : undefined;
    }
  }

  #unsentTail(): Uint8Array {
    if (this.#tail === undefined) return new Uint8Array(0);
    // libuv counts down what it still has to write; only this tells how far the Socket is within its write.
    const handle: unknown = Reflect.get(this.#socket, '_handle');
    const queued: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
    const unsent = typeof queued === 'number' ? Math.min(queued, this.#tail.byteLength) : 0;
    return this.#tail.subarray(this.#tail.byteLength - unsent);
  }
}
