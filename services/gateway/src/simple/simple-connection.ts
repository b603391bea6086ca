import type { Socket } from 'node:net';
import type { GatewayLimits } from '../gateway-limits.ts';
import type { Deferred, TurnEnd } from '../turn-end.ts';
import { readSimpleRequest, type SimpleRequest } from './simple-request.ts';
import { type ResponseHost, SimpleResponse } from './simple-response.ts';

/** An idle connection is kept for so long beyond what its client was told, so that its next request is not on its way to a closed one, ms. */
const KEEP_ALIVE_MARGIN_MS = 1000;

/** What connections need of the front. */
export interface ConnectionHost {
  readonly limits: GatewayLimits;
  /**
   * Serves a request.
   *
   * @param peer address of the client.
   * @returns to be called when the response has left, or never will.
   */
  serve(request: SimpleRequest, response: SimpleResponse, peer: string | undefined): () => void;
  /** Has Node serve a connection from now on, beginning with what was put back into it. */
  passOn(socket: Socket): void;
  /** The client has sent no request in time. */
  silent(socket: Socket): void;
  /** Tells of the end of responses when all was dealt with that was read with it. */
  readonly turnEnd: TurnEnd;
  /** The connection is gone, or Node's. */
  ended(connection: SimpleConnection): void;
}

/**
 * A client's connection as long as all that comes over it are simple requests, one after the other. With the first other one it
 * becomes Node's, and stays that.
 *
 * States: silent ──request──▶ busy ⇄ idle; from all of them to passed on, or to gone.
 */
export class SimpleConnection implements ResponseHost, Deferred {
  readonly keepAliveLines: string;
  readonly #host: ConnectionHost;
  #socket: Socket | null;
  #peer: string | undefined;
  /** Nothing was read yet. */
  #isSilent = true;
  /** Set while it is busy. */
  #response: SimpleResponse | undefined;
  /** To be called at the end of that. */
  #over: (() => void) | undefined;
  /** The time without a movement is limited although it is busy. */
  #isIdlenessLimited = false;
  /** Its last response has left. */
  #isEnding = false;
  /** What came while it was busy. */
  #rest: Buffer | undefined;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    const seconds = Math.floor(host.limits.keepAliveMs / 1000);
    this.keepAliveLines = `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`;
    socket.on('data', this.#read);
    socket.on('timeout', this.#timeout);
    // A client that says that it will send no more is taken for gone, as Node does.
    socket.on('end', this.#destroy);
    socket.on('error', this.#destroy);
    socket.on('close', this.#gone);
    socket.setTimeout(host.limits.headersTimeoutMs);
  }

  get socket(): Socket | null {
    return this.#socket;
  }

  limitIdleness(ms: number): void {
    this.#isIdlenessLimited = true;
    this.#socket?.setTimeout(ms);
  }

  finished(): void {
    this.#host.turnEnd.defer(this);
  }

  /** A response has left. */
  turnEnded(): void {
    const socket = this.#socket;
    if (socket === null || this.#response === undefined) return;
    const { isLast } = this.#response;
    this.#end();
    if (isLast) {
      this.#isEnding = true;
      socket.destroySoon();
      return;
    }
    if (this.#isIdlenessLimited) this.#limitIdle(socket);
    this.#isIdlenessLimited = false;
    if (this.#rest !== undefined) setImmediate(this.#goOn);
  }

  /** Breaks the connection. */
  destroy(): void {
    this.#socket?.destroy();
  }

  readonly #destroy = (): void => this.destroy();

  readonly #read = (chunk: Buffer): void => {
    const { limits } = this.#host;
    if (this.#isEnding) return;
    if (this.#response !== undefined || this.#rest !== undefined) {
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
      if (this.#rest.byteLength > limits.headerBytesMax) this.#socket?.pause();
      return;
    }
    const request = readSimpleRequest(chunk, limits.headerBytesMax);
    if (request === undefined || request.url.length > limits.urlBytesMax) this.#passOn(chunk);
    else this.#serve(request);
  };

  readonly #goOn = (): void => {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest === undefined || this.#socket === null) return;
    this.#socket.resume();
    this.#read(rest);
  };

  readonly #timeout = (): void => {
    if (this.#socket === null) return;
    if (this.#isSilent) this.#host.silent(this.#socket);
    else if (this.#response === undefined || this.#isIdlenessLimited) this.#socket.destroy();
  };

  readonly #gone = (): void => {
    this.#socket = null;
    this.#host.ended(this);
    if (this.#response !== undefined) this.#end();
  };

  #serve(request: SimpleRequest): void {
    if (this.#isSilent) {
      this.#isSilent = false;
      this.#peer = this.#socket?.remoteAddress;
      if (this.#socket !== null) this.#limitIdle(this.#socket);
    }
    const response = new SimpleResponse(this, request.method === 'HEAD');
    this.#response = response;
    this.#over = this.#host.serve(request, response, this.#peer);
  }

  #limitIdle(socket: Socket): void {
    socket.setTimeout(this.#host.limits.keepAliveMs + KEEP_ALIVE_MARGIN_MS);
  }

  /** It is busy no more. */
  #end(): void {
    const over = this.#over;
    this.#response = undefined;
    this.#over = undefined;
    over?.();
  }

  #passOn(chunk: Buffer): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    socket.off('data', this.#read);
    socket.off('timeout', this.#timeout);
    socket.off('end', this.#destroy);
    socket.off('error', this.#destroy);
    socket.off('close', this.#gone);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(chunk);
    this.#host.ended(this);
    this.#host.passOn(socket);
    socket.resume();
  }
}
