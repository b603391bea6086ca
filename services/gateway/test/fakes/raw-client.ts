import { connect, type Socket } from 'node:net';
import { until } from './test-gateway.ts';

/** A response as it came over the wire. */
export interface RawResponse {
  readonly status: number;
  /** In their order, duplicates kept, names as they were sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A connection on which the test writes any bytes. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  #text = '';
  /** The other end closed, or broke, the connection. */
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (this.#text += text));
    // A broken connection is one of the things that tests look for.
    socket.on('error', () => (this.closed = true));
    socket.on('close', () => (this.closed = true));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    const client = new RawClient(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    return client;
  }

  /** Everything that came so far. */
  get text(): string {
    return this.#text;
  }

  send(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** Everything, once the other end has closed. */
  async all(): Promise<string> {
    await until(
      () => this.closed,
      () => `the connection is closed after ${JSON.stringify(this.#text.slice(0, 500))}`,
    );
    return this.#text;
  }

  /** Waits for a text. */
  async seen(text: string): Promise<void> {
    await until(
      () => this.#text.includes(text),
      () => `${JSON.stringify(text)} in ${JSON.stringify(this.#text)}`,
    );
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Takes the first response of a text apart. Chunked bodies stay as they are. */
export function parseResponse(text: string): RawResponse {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4) };
}

/** Sends one request on a connection of its own and gives what came back until its end. */
export async function rawRequest(port: number, text: string): Promise<string> {
  using client = await RawClient.open(port);
  client.send(text);
  return await client.all();
}
