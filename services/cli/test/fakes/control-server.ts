import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { catalogue, type ErrorCode } from '@hob/contracts';

/** What a test's server was asked. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void | Promise<void>;

/** An HTTP server on a free loopback port, which answers as the gateway would: `METHOD /path` to what the test says. */
export class ControlServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server: Server;
  readonly #answers: Readonly<Record<string, Answer>>;

  private constructor(answers: Readonly<Record<string, Answer>>) {
    this.#answers = answers;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(answers: Readonly<Record<string, Answer>>): Promise<ControlServer> {
    const server = new ControlServer(answers);
    const listening = Promise.withResolvers<void>();
    server.#server.listen(0, '127.0.0.1', listening.resolve);
    await listening.promise;
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const answer = this.#answers[`${method} ${url}`];
    // A test that cuts the connection leaves the body unfinished.
    const body = await text(request).catch(() => '');
    this.seen.push({ method, url, headers, body });
    if (answer === undefined) return sendProblem(response, 'ERR_API_NOT_FOUND', `nothing answers ${method} ${url}`);
    await answer(request, response, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
  }
}

/** Answers with a problem document as the gateway makes them. */
export function sendProblem(response: ServerResponse, code: ErrorCode, detail: string, more = {}): void {
  const { http: status, title } = catalogue[code];
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: `urn:hob:error:${code}`, title, status, detail, code, ...more }));
}

/** An answer of JSON. */
export function json(value: unknown, status = 200): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
}
