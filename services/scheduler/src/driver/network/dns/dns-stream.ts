/** Cuts a TCP stream into DNS messages, each of which has its length in front, in two bytes. */
export class DnsStream {
  readonly #onMessage: (bytes: Buffer) => void;
  #pending: Buffer = Buffer.alloc(0);

  /** @param onMessage called with each message, in order; must not throw. */
  constructor(onMessage: (bytes: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  /** How many bytes wait for the rest of their message: never more than one message has. */
  get pendingBytes(): number {
    return this.#pending.byteLength;
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.byteLength === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#pending.byteLength >= 2) {
      const end = 2 + this.#pending.readUInt16BE(0);
      if (this.#pending.byteLength < end) return;
      const message = this.#pending.subarray(2, end);
      this.#pending = this.#pending.subarray(end);
      this.#onMessage(message);
    }
  }
}

/** A message with its length in front. */
export function frameMessage(message: Buffer): Buffer {
  const framed = Buffer.alloc(2 + message.byteLength);
  framed.writeUInt16BE(message.byteLength, 0);
  message.copy(framed, 2);
  return framed;
}
