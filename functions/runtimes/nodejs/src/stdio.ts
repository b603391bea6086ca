import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { LogPayload } from '@hob/contracts/protocol';

type Channel = LogPayload['channel'];

/** Takes text that was written to a standard stream, in whatever pieces. Must not throw. */
export type WriteText = (channel: Channel, text: string) => void;

/**
 * Makes `process.stdout`, `process.stderr` and `console` write through `write`. The descriptors 1 and 2 stay as they
 * are: child processes and native code write to them.
 */
export function replaceStdio(write: WriteText): void {
  replaceStream('stdout', 1, write);
  replaceStream('stderr', 2, write);
}

function replaceStream(channel: Channel, fd: 1 | 2, write: WriteText): void {
  const stream = new LogStream(channel, fd, write);
  Object.defineProperty(process, channel, { configurable: true, enumerable: true, get: () => stream });
  // The console keeps the streams that it has used once.
  Reflect.set(console, `_${channel}`, stream);
}

type Done = (error?: Error | null) => void;

/** A standard stream that cannot be closed, as a function that ends it is not the last to write. */
export class LogStream extends Writable {
  readonly fd: number;
  readonly #channel: Channel;
  readonly #writeText: WriteText;
  readonly #decoder = new StringDecoder('utf8');

  constructor(channel: Channel, fd: number, writeText: WriteText) {
    super({ decodeStrings: false });
    this.fd = fd;
    this.#channel = channel;
    this.#writeText = writeText;
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    if (typeof chunk !== 'string') this.#writeText(this.#channel, this.#decoder.write(chunk));
    else if (encoding === 'hex' || encoding === 'base64' || encoding === 'base64url') {
      this.#writeText(this.#channel, this.#decoder.write(Buffer.from(chunk, encoding)));
    } else this.#writeText(this.#channel, chunk);
    done();
  }

  override end(...args: unknown[]): this {
    const [chunk] = args;
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) this.write(chunk);
    const done = args.find((arg) => typeof arg === 'function');
    if (done) process.nextTick(done);
    return this;
  }

  override destroy(): this {
    return this;
  }
}
