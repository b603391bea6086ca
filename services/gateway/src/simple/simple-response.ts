import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { CallResponse } from './call-response.ts';

/** The connection's side of a response. */
export interface ResponseHost {
  /** Null once the connection is gone. */
  readonly socket: Socket | null;
  /** The header lines that say how long the client may expect it to stay open after this response. */
  readonly keepAliveLines: string;
  /** Breaks the connection when nothing moves on it for so long, until the response has left. */
  limitIdleness(ms: number): void;
  /** All of the response has left. */
  finished(): void;
}

/** Status lines that were made, by status. */
const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

/** Milliseconds of the last full second, and the line that says so. */
let dateMs = 0;
let date = '';

function dateLine(): string {
  const nowMs = Date.now();
  if (nowMs >= dateMs + 1000 || nowMs < dateMs) {
    dateMs = nowMs - (nowMs % 1000);
    date = `Date: ${new Date(dateMs).toUTCString()}\r\n`;
  }
  return date;
}

/**
 * The response to a `SimpleRequest`, as HTTP/1.1 has it: with a declared length, in chunks, or without a body.
 *
 * States: made ──writeHead──▶ head held ──flushHeaders, write──▶ sending ──end──▶ ended ──all has left──▶ finished.
 */
export class SimpleResponse implements CallResponse {
  headersSent = false;
  writableEnded = false;
  writableFinished = false;
  /** The connection ends with it. */
  isLast = false;
  readonly #host: ResponseHost;
  readonly #isHead: boolean;
  /** What is to be sent in front of the next piece. */
  #before = '';
  #hasBody = true;
  #isChunked = false;

  /** @param isHead the request's method was HEAD: a body is never sent. */
  constructor(host: ResponseHost, isHead: boolean) {
    this.#host = host;
    this.#isHead = isHead;
  }

  get writableLength(): number {
    return this.writableFinished ? 0 : (this.#host.socket?.writableLength ?? 0);
  }

  writeHead(status: number, headers: string[]): void {
    let head = statusLine(status);
    let hasLength = false;
    let hasDate = false;
    for (let at = 0; at + 1 < headers.length; at += 2) {
      const name = headers[at] as string;
      const value = headers[at + 1] as string;
      if (name === 'content-length') hasLength = true;
      else if (name === 'date') hasDate = true;
      else if (name === 'connection' && value === 'close') this.isLast = true;
      head += `${name}: ${value}\r\n`;
    }
    this.#hasBody = !this.#isHead && status !== 204 && status !== 304;
    this.#isChunked = this.#hasBody && !hasLength;
    if (!hasDate) head += dateLine();
    if (!this.isLast) head += this.#host.keepAliveLines;
    if (this.#isChunked) head += 'Transfer-Encoding: chunked\r\n';
    this.#before = `${head}\r\n`;
    this.headersSent = true;
  }

  flushHeaders(): void {
    const before = this.#takeBefore();
    if (before !== '') this.#host.socket?.write(before, 'latin1');
  }

  write(piece: string | Uint8Array, _encoding: 'latin1', hasLeft?: (error?: Error | null) => void): boolean {
    return this.#send(piece, '', hasLeft);
  }

  end(piece: string | Uint8Array, _encoding: 'latin1'): void {
    if (this.writableEnded) return;
    this.writableEnded = true;
    this.#send(piece, this.#isChunked ? '0\r\n\r\n' : '', undefined);
    const { socket } = this.#host;
    if (socket === null) return;
    if (socket.writableLength === 0) this.#finish();
    // Nothing, but told only when all before it has left.
    else socket.write('', (error) => void (error ?? this.#finish()));
  }

  once(event: 'drain', listener: () => void): void {
    this.#host.socket?.once(event, listener);
  }

  setTimeout(ms: number): void {
    if (!this.writableFinished) this.#host.limitIdleness(ms);
  }

  destroy(): void {
    this.#host.socket?.destroy();
  }

  #finish(): void {
    this.writableFinished = true;
    this.#host.finished();
  }

  #takeBefore(): string {
    const before = this.#before;
    this.#before = '';
    return before;
  }

  /** Sends what waits, the piece, and what belongs behind it. */
  #send(piece: string | Uint8Array, after: string, hasLeft: ((error?: Error | null) => void) | undefined): boolean {
    const { socket } = this.#host;
    if (socket === null) return true;
    const isSent = this.#hasBody && piece.length > 0;
    const size = isSent && this.#isChunked ? `${piece.length.toString(16)}\r\n` : '';
    const before = this.#takeBefore() + size;
    const behind = (size === '' ? '' : '\r\n') + after;
    if (typeof piece === 'string' || !isSent) {
      const text = before + (isSent ? piece : '') + behind;
      if (text === '') return true;
      return hasLeft === undefined ? socket.write(text, 'latin1') : socket.write(text, 'latin1', hasLeft);
    }
    socket.cork();
    if (before !== '') socket.write(before, 'latin1');
    let hasRoom = hasLeft === undefined ? socket.write(piece) : socket.write(piece, hasLeft);
    if (behind !== '') hasRoom = socket.write(behind, 'latin1');
    socket.uncork();
    return hasRoom;
  }
}
