import type { Duplex } from 'node:stream';
import { asHobError, type Frame, FrameDecoder, type HobError } from '@hob/contracts';

/** Bodies are held back while more than this waits to be sent, bytes. */
const SEND_BUFFER_BYTES = 1024 * 1024;

/** Who listens to a connection. */
export interface FrameListener {
  /** Whatever it throws breaks the connection. */
  frame(frame: Frame): void;
  /** The connection is congested no more. */
  drained(): void;
  /**
   * The other end is gone, or it broke the protocol. Called once; nothing else follows.
   *
   * @param error what was wrong with a frame; undefined when the connection was closed.
   */
  closed(error: HobError | undefined): void;
}

/**
 * Frames over a stream that this owns. Those of one turn of the event loop, of all calls, leave together: one system call, and
 * one wake-up at the other end.
 */
export class FrameConnection {
  readonly #stream: Duplex;
  readonly #listener: FrameListener;
  readonly #decoder: FrameDecoder;
  #queued: Buffer[] = [];
  #queuedBytes = 0;
  #isOver = false;
  readonly #flush = (): void => {
    const pieces = this.#queued;
    const bytes = this.#queuedBytes;
    this.#queued = [];
    this.#queuedBytes = 0;
    const [first] = pieces;
    if (this.#stream.destroyed || first === undefined) return;
    this.#stream.write(pieces.length === 1 ? first : Buffer.concat(pieces, bytes));
  };

  constructor(stream: Duplex, listener: FrameListener) {
    this.#stream = stream;
    this.#listener = listener;
    this.#decoder = new FrameDecoder((frame) => {
      if (!this.#isOver) listener.frame(frame);
    });
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('drain', () => listener.drained());
    stream.on('error', () => this.#over(undefined));
    stream.on('end', () => this.#over(undefined));
    stream.on('close', () => this.#over(undefined));
  }

  /** True: hold bodies back until `drained`. */
  get isCongested(): boolean {
    return this.#stream.writableLength + this.#queuedBytes > SEND_BUFFER_BYTES;
  }

  send(frame: Buffer): void {
    if (this.#isOver) return;
    if (this.#queued.length === 0) setImmediate(this.#flush);
    this.#queued.push(frame);
    this.#queuedBytes += frame.byteLength;
  }

  /** Closes it once what was sent has left. */
  end(): void {
    this.#flush();
    this.#stream.end();
  }

  destroy(): void {
    this.#over(undefined);
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#over(asHobError(error));
    }
  }

  #over(error: HobError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queued = [];
    this.#queuedBytes = 0;
    this.#stream.destroy();
    this.#listener.closed(error);
  }
}
