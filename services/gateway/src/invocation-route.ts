import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  asHobError,
  type AsyncInvocations,
  fail,
  type FunctionDirectory,
  type HobError,
  type InvocationRequest,
} from '@hob/contracts';
import { acceptAsync } from './async-acceptance.ts';
import type { ExchangeContext, ExchangeParts } from './invocation-exchange.ts';
import { InvocationExchange } from './invocation-exchange.ts';
import { FUNCTION_PREFIX, parseInvocationTarget } from './invocation-target.ts';
import { answerKeyed } from './keyed-call.ts';
import { problemOf, sendProblem } from './problem.ts';
import { type ForwardedRequest, RequestHeaders, type TokenVerifier } from './request-headers.ts';
import type { CallResponse } from './simple/call-response.ts';
import type { SimpleRequest } from './simple/simple-request.ts';

/** Methods that no Request of the web platform can have. CONNECT never gets here. */
const forbiddenMethods: ReadonlySet<string> = new Set(['TRACE', 'TRACK']);

/** What the route needs besides the context of its exchanges. */
export interface InvocationRouteOptions extends ExchangeContext {
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  readonly tokens: TokenVerifier;
  /** Absent where calls for it are passed on before they get here. */
  readonly queue?: AsyncInvocations;
}

/** Who asks. */
interface Caller {
  /** Of the invocation that is made, or refused. */
  readonly id: string;
  /** Their address. */
  readonly peer: string | undefined;
  /** They presented a valid token. */
  trusted: boolean;
}

/** Answers `ANY /fn/<name>[@<version or alias>][/rest]`, from the raw request on: the hot path of hob. */
export class InvocationRoute {
  readonly #options: InvocationRouteOptions;
  readonly #headers: RequestHeaders;

  constructor(options: InvocationRouteOptions) {
    this.#options = options;
    this.#headers = new RequestHeaders(options.tokens, options.limits.trustForwarded);
  }

  /**
   * Serves one request; its URL begins with FUNCTION_PREFIX.
   *
   * @param expectsContinue the client waits for `100 Continue` before it sends the body.
   * @returns the exchange, which is to be told when the response has closed; undefined after a refusal, and for a call that does
   *   not end with it: one that is queued, or has an idempotency key.
   */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): InvocationExchange | undefined {
    const caller: Caller = { id: randomUUID(), peer: request.socket.remoteAddress, trusted: false };
    try {
      const { invocation, forwarded, qualifier } = this.#read(request, caller);
      const isAsync = isAsynchronous(forwarded.invocationType);
      const key = forwarded.idempotencyKey;
      const queue = isAsync || key !== undefined ? this.#queue() : undefined;
      this.#check(invocation, forwarded, queue?.bodyBytesMax);
      if (expectsContinue) response.writeContinue();
      if (queue === undefined) return this.#start({ request, response, invocation, trusted: caller.trusted });
      const call = { request, response, invocation, qualifier };
      const context = { ...this.#options, queue };
      const answered = key === undefined ? acceptAsync(call, context) : answerKeyed({ ...call, key, isAsync }, context);
      answered.catch((error: unknown) => this.#refuse(request, response, error, caller));
    } catch (error) {
      this.#refuse(request, response, error, caller);
    }
    return undefined;
  }

  /** As `handle`. @param peer address of the client. */
  handleSimple(
    request: SimpleRequest,
    response: CallResponse,
    peer: string | undefined,
  ): InvocationExchange | undefined {
    const caller: Caller = { id: randomUUID(), peer, trusted: false };
    try {
      const { invocation, forwarded } = this.#read(request, caller);
      this.#check(invocation, forwarded, undefined);
      return this.#start({ request, response, invocation, trusted: caller.trusted });
    } catch (error) {
      this.#refuse(undefined, response, error, caller);
      return undefined;
    }
  }

  #start(parts: ExchangeParts): InvocationExchange {
    const exchange = new InvocationExchange(this.#options, parts);
    exchange.start();
    return exchange;
  }

  /** What is asked for. Notes whether the caller is trusted, be it refused or not. */
  #read(request: IncomingMessage | SimpleRequest, caller: Caller) {
    const { method = 'GET', url = '', rawHeaders } = request;
    const target = parseInvocationTarget(url);
    if (target === undefined) throw unknownFunction(url);
    const forwarded = this.#headers.read({ method, rawHeaders, peer: caller.peer }, target);
    caller.trusted = forwarded.trusted;
    const { headers, hasBody } = forwarded;
    const version = this.#options.directory.resolve(target.name, target.qualifier, headers);
    const absolute = this.#acceptedUrl(forwarded);
    const invocation: InvocationRequest = { id: caller.id, version, method, url: absolute, headers, hasBody };
    return { invocation, forwarded, qualifier: target.qualifier };
  }

  #queue(): AsyncInvocations {
    const { queue } = this.#options;
    if (queue === undefined) throw new Error('a call for the queue came to a gateway that has none');
    return queue;
  }

  #acceptedUrl(forwarded: ForwardedRequest): string {
    if (forwarded.url === undefined) throw fail('ERR_API_BAD_REQUEST', ['the host header names no host']);
    return forwarded.url;
  }

  #check(invocation: InvocationRequest, forwarded: ForwardedRequest, wholeBytesMax: number | undefined): void {
    if (forbiddenMethods.has(invocation.method)) {
      throw fail('ERR_API_BAD_REQUEST', [`functions take no ${invocation.method} requests`]);
    }
    if (invocation.version.config.auth === 'token' && !forwarded.trusted) throw fail('ERR_AUTH_REQUIRED', []);
    const bodyBytesMax = Math.min(this.#options.limits.bodyBytesMax, wholeBytesMax ?? Infinity);
    if (forwarded.contentLength !== undefined && forwarded.contentLength > bodyBytesMax) {
      throw fail('ERR_HTTP_BODY_TOO_LARGE', [bodyBytesMax]);
    }
  }

  #refuse(request: IncomingMessage | undefined, response: CallResponse, thrown: unknown, caller: Caller): void {
    const error = asHobError(thrown);
    if (error.spec.kind === 'platform') this.#options.logger.error({ err: error }, 'a request failed in hob');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const problem = problemOf(error, { instance: caller.id, stranger: !caller.trusted });
    sendProblem(request, response, problem, {
      headers: ['hob-invocation-id', caller.id],
      lingerMs: this.#options.limits.lingerMs,
      close: this.#options.draining(),
    });
  }
}

/** @throws ERR_API_BAD_REQUEST */
function isAsynchronous(invocationType: string | undefined): boolean {
  if (invocationType === undefined || invocationType === 'sync') return false;
  if (invocationType === 'async') return true;
  throw fail('ERR_API_BAD_REQUEST', ['hob-invocation-type is sync or async']);
}

/** Says which part of the URL names nothing; what the client wrote is given back in bounds. */
function unknownFunction(url: string): HobError {
  const [segment = ''] = url.slice(FUNCTION_PREFIX.length).split(/[/?]/, 1);
  const [name = '', version] = segment.split('@', 2);
  if (version !== undefined && parseInvocationTarget(`${FUNCTION_PREFIX}${name}`) !== undefined) {
    return fail('ERR_FN_VERSION_NOT_FOUND', [name, version.slice(0, 64)]);
  }
  return fail('ERR_FN_NOT_FOUND', [name.slice(0, 64)]);
}
