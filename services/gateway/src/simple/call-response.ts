/** What a call needs of the response that it answers with: Node's `ServerResponse` is one, a `SimpleResponse` the other. */
export interface CallResponse {
  readonly headersSent: boolean;
  /** `end` was called. */
  readonly writableEnded: boolean;
  /** All of it has left hob. */
  readonly writableFinished: boolean;
  /** How much of it has not left yet, bytes. */
  readonly writableLength: number;
  /** @param headers a flat list: name, value, …; all legal. */
  writeHead(status: number, headers: string[]): unknown;
  /** Sends the head before there is anything of the body. */
  flushHeaders(): void;
  /**
   * @param hasLeft told when the piece has left, or with an error that it never will.
   * @returns false when the client is slower: `drain` follows.
   */
  write(piece: string | Uint8Array, encoding: 'latin1', hasLeft?: (error?: Error | null) => void): boolean;
  /** @param piece the last one; '' for none. */
  end(piece: string | Uint8Array, encoding: 'latin1'): unknown;
  once(event: 'drain', listener: () => void): unknown;
  /** Breaks the connection when nothing moves on it for so long, until the response has left. */
  setTimeout(ms: number): unknown;
  /** Breaks the connection. */
  destroy(): unknown;
}
