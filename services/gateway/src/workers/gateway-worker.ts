import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  encodeFrame,
  FLAG_END,
  type Frame,
  FrameType,
  type FunctionDirectory,
  type FunctionRecord,
  type HobError,
} from '@hob/contracts';
import type { Logger } from 'pino';
import { HttpFront } from '../http-front.ts';
import { InvocationRoute } from '../invocation-route.ts';
import { RequestCount } from '../request-count.ts';
import type { TokenVerifier } from '../request-headers.ts';
import { TurnEnd } from '../turn-end.ts';
import { FrameConnection, type FrameListener } from './frame-connection.ts';
import { PassThrough } from './pass-through.ts';
import { RemoteInvoker } from './remote-invoker.ts';
import { readFunction, readSetup, violation, type WorkerSetup } from './worker-messages.ts';

/** A copy of the server's functions. */
export interface FunctionCopy extends Pick<FunctionDirectory, 'resolve'> {
  /** Replaces all that is known of one function. */
  replace(record: FunctionRecord): void;
}

/** What a worker is made of. */
export interface GatewayWorkerOptions {
  /** Connection to the server; the worker owns it. */
  readonly connection: Duplex;
  /** Empty. */
  readonly functions: FunctionCopy;
  /** Path of the socket where the server answers everything that is no call of a function. */
  readonly upstream: string;
  readonly verifier: (hashes: readonly string[]) => TokenVerifier;
  readonly logger: Logger;
}

/**
 * The gateway in a process of its own: it listens beside others on the same port, serves calls of functions by frames to the
 * server, and passes all other requests on to it.
 *
 * Lifecycle: waiting ──SETUP, functions, SYNC──▶ open ──DRAIN──▶ draining ──last request ends or drainMs──▶ ended. It ends at once
 * when the server is gone.
 */
export class GatewayWorker implements FrameListener {
  /** Resolved when it has ended: after a drain with undefined, else with what broke it. */
  readonly ended: Promise<unknown>;
  readonly #options: GatewayWorkerOptions;
  readonly #ended = Promise.withResolvers<unknown>();
  readonly #connection: FrameConnection;
  readonly #invoker: RemoteInvoker;
  #record: Buffer[] = [];
  #setup: WorkerSetup | undefined;
  #front: HttpFront | undefined;
  #isDraining = false;
  #isDrained = false;

  constructor(options: GatewayWorkerOptions) {
    this.#options = options;
    this.ended = this.#ended.promise;
    this.#connection = new FrameConnection(options.connection, this);
    this.#invoker = new RemoteInvoker(this.#connection);
  }

  /** The base URL. Undefined when it does not listen. */
  get address(): string | undefined {
    return this.#front?.address;
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case FrameType.SETUP:
        if (this.#setup !== undefined) throw violation(frame, 'twice');
        this.#setup = readSetup(frame);
        return;
      case FrameType.FUNCTION:
        this.#learn(frame);
        return;
      case FrameType.SYNC:
        this.#sync(frame);
        return;
      case FrameType.DRAIN:
        void this.#drain();
        return;
      default:
        this.#invoker.take(frame);
    }
  }

  drained(): void {
    this.#invoker.drain();
  }

  closed(error: HobError | undefined): void {
    this.#ended.resolve(error ?? (this.#isDrained ? undefined : new Error('the server is gone')));
    this.#invoker.lost();
  }

  #learn(frame: Frame): void {
    this.#record.push(Buffer.from(frame.payload));
    if ((frame.flags & FLAG_END) === 0) return;
    const payload = Buffer.concat(this.#record);
    this.#record = [];
    this.#options.functions.replace(readFunction({ ...frame, payload }));
  }

  /** The first one comes when all functions are known: it is answered when the worker listens. */
  #sync(frame: Frame): void {
    const answer = encodeFrame(FrameType.SYNC, frame.stream);
    if (this.#front !== undefined) {
      this.#connection.send(answer);
      return;
    }
    if (this.#setup === undefined) throw violation(frame, 'before SETUP');
    const { host, port, limits } = this.#setup;
    this.#front = this.#open(this.#setup);
    this.#front.listen({ host, port, backlog: limits.connectionsMax, reusePort: true }).then(
      () => this.#connection.send(answer),
      (error: unknown) => this.#ended.resolve(error),
    );
  }

  #open({ limits, tokens }: WorkerSetup): HttpFront {
    const { functions, logger, upstream, verifier } = this.#options;
    const draining = (): boolean => this.#isDraining;
    const turnEnd = new TurnEnd();
    const route = new InvocationRoute({
      invoker: this.#invoker,
      closed: (call) => this.#invoker.closed(call),
      directory: functions,
      tokens: verifier(tokens),
      logger,
      limits,
      draining,
      turnEnd,
    });
    const requests = new RequestCount(limits.requestsMax);
    const front = new HttpFront({ limits, route, draining, requests, turnEnd, isForOthers: isForQueue });
    const others = new PassThrough(upstream, limits.lingerMs);
    front.serveOthers((request, response) => others.handle(request, response));
    return front;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    await this.#front?.close(this.#setup?.limits.drainMs ?? 0);
    this.#isDrained = true;
    this.#connection.end();
  }
}

/** The server has the queue of asynchronous calls, and knows the keys. */
function isForQueue({ headers }: IncomingMessage): boolean {
  return headers['hob-invocation-type'] !== undefined || headers['idempotency-key'] !== undefined;
}
