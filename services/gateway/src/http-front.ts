import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import { fail, type HobError } from '@hob/contracts';
import type { GatewayLimits } from './gateway-limits.ts';
import type { InvocationExchange } from './invocation-exchange.ts';
import type { InvocationRoute } from './invocation-route.ts';
import { FUNCTION_PREFIX } from './invocation-target.ts';
import { PROBLEM_TYPE, problemOf, sendProblem } from './problem.ts';
import type { RequestCount } from './request-count.ts';
import type { CallResponse } from './simple/call-response.ts';
import { type ConnectionHost, SimpleConnection } from './simple/simple-connection.ts';
import type { SimpleRequest } from './simple/simple-request.ts';
import type { TurnEnd } from './turn-end.ts';

/** Serves what is no call of a function. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What the front needs. */
export interface HttpFrontOptions {
  readonly limits: GatewayLimits;
  readonly route: InvocationRoute;
  readonly draining: () => boolean;
  /** Of requests being served; probes, metrics and refusals not counted. */
  readonly requests: RequestCount;
  readonly turnEnd: TurnEnd;
  /** Calls of functions that those serve who serve all else; none when it is not given. */
  readonly isForOthers?: (request: IncomingMessage) => boolean;
}

/** These answer whatever the load, and while hob drains. */
const probes: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/**
 * The listening socket: holds the limits that concern all requests, and sends calls of functions straight to their route.
 *
 * Functions are routed before fastify because its request and reply objects are of no use to a call that is streamed
 * both ways; everything else is fastify's.
 */
export class HttpFront {
  readonly server: Server;
  readonly #limits: GatewayLimits;
  readonly #route: InvocationRoute;
  readonly #draining: () => boolean;
  readonly #requests: RequestCount;
  readonly #isForOthers: (request: IncomingMessage) => boolean;
  readonly #simple = new Set<SimpleConnection>();
  #others: RequestHandler | undefined;

  constructor(options: HttpFrontOptions) {
    this.#limits = options.limits;
    this.#route = options.route;
    this.#draining = options.draining;
    this.#requests = options.requests;
    this.#isForOthers = options.isForOthers ?? (() => false);
    const { limits } = options;
    this.server = createServer({
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: Math.max(limits.requestTimeoutMs, limits.headersTimeoutMs),
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(limits.headersTimeoutMs, 5000),
      noDelay: true,
      requireHostHeader: true,
    });
    this.server.maxConnections = limits.connectionsMax;
    // The size of all headers is bounded; a bound on their number would silently drop some.
    this.server.maxHeadersCount = 0;
    this.server.on('request', (request, response) => this.#serve(request, response, false));
    this.server.on('checkContinue', (request, response) => this.#serve(request, response, true));
    this.server.on('clientError', answerBrokenRequest(limits));
    this.#readFirst(options.turnEnd);
  }

  /** The base URL, or undefined when the server does not listen. */
  get address(): string | undefined {
    const address = this.server.address();
    if (address === null || typeof address === 'string') return undefined;
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `http://${host}:${address.port}`;
  }

  /** Sets who serves everything but functions; to be called before `listen`. */
  serveOthers(handler: RequestHandler): void {
    this.#others = handler;
  }

  /** @returns the base URL, '' for a unix socket. @throws the error of `listen(2)`. */
  listen(where: ListenOptions): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.server.once('error', reject);
    this.server.listen({ ...where }, () => {
      this.server.off('error', reject);
      resolve(this.address ?? '');
    });
    return promise;
  }

  /**
   * Waits for running requests up to `drainMs`, then stops to listen and cuts what is left. Until then whoever asks is
   * told that hob is shutting down, which says more than a refused connection.
   */
  async close(drainMs: number): Promise<void> {
    await this.#requests.idle(drainMs);
    const closed = new Promise<void>((resolve) => {
      // An error says that it never listened.
      this.server.close(() => resolve());
    });
    this.server.closeAllConnections();
    for (const connection of this.#simple) connection.destroy();
    await closed;
  }

  /** Has each connection read as simple requests before it is read by Node. */
  #readFirst(turnEnd: TurnEnd): void {
    const { server } = this;
    const byNode = server.listeners('connection');
    server.removeAllListeners('connection');
    const answerBroken = answerBrokenRequest(this.#limits);
    const host: ConnectionHost = {
      limits: this.#limits,
      turnEnd,
      serve: (request, response, peer) => this.#serveSimple(request, response, peer),
      passOn: (socket) => {
        for (const listener of byNode) listener.call(server, socket);
      },
      silent: (socket) => answerBroken(Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket),
      ended: (connection) => this.#simple.delete(connection),
    };
    server.on('connection', (socket) => this.#simple.add(new SimpleConnection(socket, host)));
  }

  #serveSimple(request: SimpleRequest, response: CallResponse, peer: string | undefined): () => void {
    const refusal = this.#refusal(request.url);
    if (refusal !== undefined) {
      const { lingerMs } = this.#limits;
      sendProblem(undefined, response, problemOf(refusal), { lingerMs, close: this.#draining() });
      return () => undefined;
    }
    this.#requests.enter();
    const exchange = this.#route.handleSimple(request, response, peer);
    return () => {
      this.#requests.leave();
      exchange?.closed();
    };
  }

  #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const url = request.url ?? '';
    if (probes.has(url)) {
      this.#others?.(request, response);
      return;
    }
    const refusal = this.#refusal(url);
    if (refusal !== undefined) {
      const { lingerMs } = this.#limits;
      sendProblem(request, response, problemOf(refusal), { lingerMs, close: this.#draining() });
      return;
    }
    this.#requests.enter();
    let exchange: InvocationExchange | undefined;
    if (url.startsWith(FUNCTION_PREFIX) && !this.#isForOthers(request)) {
      exchange = this.#route.handle(request, response, expectsContinue);
    } else {
      if (expectsContinue) response.writeContinue();
      this.#others?.(request, response);
    }
    // Emitted at the earliest in a later tick, and for every response, also one that never got its turn on a connection.
    response.on('close', () => {
      this.#requests.leave();
      exchange?.closed();
    });
  }

  #refusal(url: string): HobError | undefined {
    const { urlBytesMax } = this.#limits;
    if (this.#draining()) return fail('ERR_SCHED_CLOSED', []);
    if (this.#requests.isFull) return fail('ERR_HTTP_TOO_MANY_REQUESTS', [this.#requests.max]);
    return url.length > urlBytesMax ? fail('ERR_HTTP_URL_TOO_LONG', [urlBytesMax]) : undefined;
  }
}

/** Answers what never became a request: broken syntax, headers that are too large or too slow. */
function answerBrokenRequest(limits: GatewayLimits): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const errorOf = (code: string | undefined): HobError => {
    if (code === 'HPE_HEADER_OVERFLOW') return fail('ERR_HTTP_HEADERS_TOO_LARGE', [limits.headerBytesMax]);
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return fail('ERR_HTTP_REQUEST_TIMEOUT', []);
    return fail('ERR_API_BAD_REQUEST', ['this is no valid HTTP request']);
  };
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
      // Something may have been sent of an earlier answer: what we add could be taken for a part of it.
      socket.destroy();
      return;
    }
    const problem = problemOf(errorOf(error.code));
    const body = JSON.stringify(problem);
    const head =
      `HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
    socket.end(head + body, () => socket.destroy());
  };
}
