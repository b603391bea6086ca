import { type ClientRequest, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { fail } from '@hob/contracts';
import { problemOf, sendProblem } from '../problem.ts';
import { hopByHop } from '../request-headers.ts';

/**
 * Has another server on this host answer requests, as they come and as it answers: a gateway worker has nothing of its own but
 * calls of functions.
 */
export class PassThrough {
  readonly #socketPath: string;
  readonly #lingerMs: number;

  /** @param socketPath of the other server. */
  constructor(socketPath: string, lingerMs: number) {
    this.#socketPath = socketPath;
    this.#lingerMs = lingerMs;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    // A connection of its own: that of another request could be closing just now.
    const upstream = httpRequest({
      socketPath: this.#socketPath,
      agent: false,
      setHost: false,
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: requestHeaders(request),
    });
    upstream.on('response', (answer) => forward(answer, response));
    upstream.on('error', () => this.#failed(request, response, upstream));
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  #failed(request: IncomingMessage, response: ServerResponse, upstream: ClientRequest): void {
    request.unpipe(upstream);
    // What the server has said by now is on its way; an answer that breaks off is seen by `forward`.
    if (response.headersSent || response.destroyed) request.resume();
    else sendProblem(request, response, problemOf(fail('ERR_SCHED_CLOSED', [])), { lingerMs: this.#lingerMs });
  }
}

function forward(answer: IncomingMessage, response: ServerResponse): void {
  const headers = endToEnd(answer.rawHeaders);
  if (answer.headers.connection === 'close' && !response.req.complete) headers.push('connection', 'close');
  response.writeHead(answer.statusCode ?? 502, headers);
  // A stream of log lines begins with nothing but its head.
  response.flushHeaders();
  answer.on('error', () => response.destroy());
  answer.on('aborted', () => response.destroy());
  answer.pipe(response);
}

function requestHeaders(request: IncomingMessage): string[] {
  const headers = endToEnd(request.rawHeaders);
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked');
  return headers;
}

/** A flat list without what speaks of one connection only. */
function endToEnd(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    if (!hopByHop.has(name.toLowerCase())) headers.push(name, raw[at + 1] as string);
  }
  return headers;
}
