import type { Duplex } from 'node:stream';
import type {
  AsyncInvocations,
  BundleStore,
  FunctionDirectory,
  Invoker,
  LogStore,
  SchedulerControl,
  SecretDirectory,
} from '@hob/contracts';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import { type GatewayLimits, gatewayLimits } from './gateway-limits.ts';
import { HttpFront } from './http-front.ts';
import { InvocationRoute } from './invocation-route.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { TokenVerifier } from './request-headers.ts';
import { RequestCount } from './request-count.ts';
import { TurnEnd } from './turn-end.ts';
import type { WorkerCallsOptions } from './workers/worker-calls.ts';
import { WorkerLink } from './workers/worker-link.ts';

/** What a gateway is made of. It owns none of it: closing the gateway closes nothing else. */
export interface GatewayOptions {
  readonly invoker: Invoker;
  readonly scheduler: SchedulerControl;
  readonly directory: FunctionDirectory;
  readonly secrets: SecretDirectory;
  readonly bundles: BundleStore;
  readonly logs: LogStore;
  readonly queue: AsyncInvocations;
  readonly logger: Logger;
  readonly tokens: TokenVerifier;
  readonly metrics: Metrics;
  /** Why calls cannot be served well now, such as "Redis does not answer"; undefined when all is well. */
  readonly ready: () => string | undefined;
  /** Version of hob, for the OpenAPI document. */
  readonly version: string;
  /** What differs from the defaults of `gatewayLimitsSchema`. */
  readonly limits?: Partial<GatewayLimits>;
}

/** Where to listen: an address and a port, or a path for a unix socket. */
export type ListenOptions = TcpAddress | { readonly path: string };

export interface TcpAddress {
  /** An address or a host name; of a name, the first address is taken. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/**
 * The HTTP side of hob.
 *
 * Lifecycle: made ──listen()──▶ open ──close()──▶ draining ──last request ends or drainMs──▶ closed. There is no way back.
 */
export interface Gateway extends AsyncDisposable {
  /**
   * Starts to serve.
   *
   * @returns the base URL, such as `http://127.0.0.1:8080`; '' for a path.
   * @throws the error of `listen(2)`, for example EADDRINUSE.
   */
  listen(where: ListenOptions): Promise<string>;
  /** The base URL. Undefined when it does not listen. */
  readonly address: string | undefined;
  /**
   * Serves the calls of a gateway worker, which count as this gateway's own.
   *
   * @param connection to the worker; the link owns it.
   */
  serveWorker(connection: Duplex): WorkerLink;
  /**
   * Takes no more requests, lets running ones end for up to `drainMs`, then cuts what is left and stops to listen. While
   * it drains, `/readyz` answers 503 and other requests are refused with ERR_SCHED_CLOSED. Every call awaits the same
   * drain.
   */
  close(): Promise<void>;
}

/**
 * Makes a gateway that does not listen yet.
 *
 * @throws ERR_CONFIG_INVALID when a limit is out of its range.
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const limits = gatewayLimits(options.limits);
  const stopping = new AbortController();
  const { invoker, directory, queue, tokens, logger } = options;
  let isDraining = false;
  // The signal's own property is dear, and asked for with every call.
  stopping.signal.addEventListener('abort', () => (isDraining = true));
  const draining = (): boolean => isDraining;
  const turnEnd = new TurnEnd();
  const route = new InvocationRoute({ invoker, directory, queue, tokens, logger, limits, draining, turnEnd });
  const requests = new RequestCount(limits.requestsMax);
  const front = new HttpFront({ limits, route, draining, requests, turnEnd });
  const requestsInFlight = (): number => requests.now;
  const app = await createApp({ ...options, limits, stopping: stopping.signal, requestsInFlight, front });
  options.metrics.observe({ scheduler: options.scheduler, directory, queue, requestsInFlight });
  const calls = { invoker, directory, requests, draining };
  return new OpenGateway(front, app, { stopping, drainMs: limits.drainMs, calls });
}

/** A gateway with all its parts. */
class OpenGateway implements Gateway {
  readonly #front: HttpFront;
  readonly #app: FastifyInstance;
  readonly #stopping: AbortController;
  readonly #drainMs: number;
  readonly #calls: WorkerCallsOptions;
  #closing: Promise<void> | undefined;

  constructor(
    front: HttpFront,
    app: FastifyInstance,
    parts: { readonly stopping: AbortController; readonly drainMs: number; readonly calls: WorkerCallsOptions },
  ) {
    this.#front = front;
    this.#app = app;
    this.#stopping = parts.stopping;
    this.#drainMs = parts.drainMs;
    this.#calls = parts.calls;
  }

  get address(): string | undefined {
    return this.#front.address;
  }

  listen(where: ListenOptions): Promise<string> {
    return this.#front.listen(where);
  }

  serveWorker(connection: Duplex): WorkerLink {
    return new WorkerLink(connection, this.#calls);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#drain());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(): Promise<void> {
    this.#stopping.abort();
    await this.#front.close(this.#drainMs);
    await this.#app.close();
  }
}
