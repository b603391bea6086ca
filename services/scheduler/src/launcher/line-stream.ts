import type { Duplex } from 'node:stream';
import { LINE_BYTES_MAX } from './messages.ts';

/** Who listens to a stream of lines. Methods must not throw. */
export interface LineListener {
  line(text: string): void;
  /** A line is too long to be one. Nothing more is read. */
  tooLong(): void;
  /** The other end is closed, or broken. Called once; nothing else follows. */
  closed(): void;
}

/** JSON, one object a line, over a socket that this owns. What is sent in one turn of the event loop leaves in one write. */
export class LineStream {
  readonly #socket: Duplex;
  readonly #listener: LineListener;
  #partial = '';
  #isCorked = false;
  #isOver = false;

  constructor(socket: Duplex, listener: LineListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#over());
  }

  send(message: object): void {
    if (this.#socket.destroyed) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** What was sent and has not left, bytes. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Calls back each time that all has left after much was waiting. */
  onDrain(drained: () => void): void {
    this.#socket.on('drain', drained);
  }

  /** Closes the connection once what was sent has left. */
  end(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#isOver) return;
      if (line.length > LINE_BYTES_MAX) return this.#refuse();
      this.#listener.line(line);
    }
    if (this.#partial.length > LINE_BYTES_MAX) this.#refuse();
  }

  #refuse(): void {
    if (this.#isOver) return;
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
    this.#partial = '';
    this.#listener.tooLong();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.closed();
  }
}
