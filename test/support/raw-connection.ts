import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.ts';

/** A connection on which a test writes any bytes. */
export class RawConnection implements Disposable {
  readonly #socket: Socket;
  #text = '';
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (this.#text += text));
    // A broken connection is one of the things that tests look for.
    socket.on('error', () => (this.#closed = true));
    socket.on('close', () => (this.#closed = true));
  }

  /** @param url of the server; only its host and port count. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  /** Number of the port at this end. */
  get port(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Everything that came so far, a character for each byte. */
  get text(): string {
    return this.#text;
  }

  /** The other end closed or broke the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  send(bytes: string | Uint8Array): void {
    if (!this.#closed) this.#socket.write(bytes);
  }

  /** Writes when the other end takes it. @returns false when the connection is closed. */
  async sendSlowly(bytes: Uint8Array): Promise<boolean> {
    if (!this.#closed && !this.#socket.write(bytes)) {
      await until('the other end reads, or closes', () => this.#closed || !this.#socket.writableNeedDrain);
    }
    return !this.#closed;
  }

  /** The first response's status line, once it is there; `closed` when the connection ended without one. */
  async status(): Promise<number | 'closed'> {
    const pattern = /^HTTP\/1\.1 (\d{3}) /;
    await until(
      () => `there is an answer, or an end; so far ${JSON.stringify(this.#text.slice(0, 300))}`,
      () => pattern.test(this.#text) || this.#closed,
    );
    const status = pattern.exec(this.#text)?.[1];
    return status === undefined ? 'closed' : Number(status);
  }

  /** Everything, once the other end has closed. */
  async all(): Promise<string> {
    await until(
      () => `the connection is closed after ${JSON.stringify(this.#text.slice(0, 300))}`,
      () => this.#closed,
    );
    return this.#text;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
