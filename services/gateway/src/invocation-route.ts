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
import type { ExchangeContext } from './invocation-exchange.ts';
import { InvocationExchange } from './invocation-exchange.ts';
import { FUNCTION_PREFIX, parseInvocationTarget } from './invocation-target.ts';
import { answerKeyed } from './keyed-call.ts';
import { problemOf, sendProblem } from './problem.ts';
import { type ForwardedRequest, RequestHeaders, type TokenVerifier } from './request-headers.ts';

/** Methods that no Request of the web platform can have. CONNECT never gets here. */
const forbiddenMethods: ReadonlySet<string> = new Set(['TRACE', 'TRACK']);

/** What the route needs besides the context of its exchanges. */
export interface InvocationRouteOptions extends ExchangeContext {
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  readonly tokens: TokenVerifier;
  /** Absent where calls for it are passed on before they get here. */
  readonly queue?: AsyncInvocations;
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
    let trusted = false;
    const id = randomUUID();
    try {
      const target = parseInvocationTarget(request.url ?? '');
      if (target === undefined) throw unknownFunction(request.url ?? '');
      const forwarded = this.#headers.read(request, target);
      trusted = forwarded.trusted;
      const invocation: InvocationRequest = {
        id,
        version: this.#options.directory.resolve(target.name, target.qualifier, forwarded.headers),
        method: request.method ?? 'GET',
        url: this.#acceptedUrl(forwarded),
        headers: forwarded.headers,
        hasBody: forwarded.hasBody,
      };
      const isAsync = isAsynchronous(forwarded.invocationType);
      const key = forwarded.idempotencyKey;
      const queue = isAsync || key !== undefined ? this.#queue() : undefined;
      this.#check(invocation, forwarded, queue?.bodyBytesMax);
      if (expectsContinue) response.writeContinue();
      if (queue !== undefined) {
        const call = { request, response, invocation, qualifier: target.qualifier };
        const context = { ...this.#options, queue };
        const answered =
          key === undefined ? acceptAsync(call, context) : answerKeyed({ ...call, key, isAsync }, context);
        answered.catch((error: unknown) => this.#refuse(request, response, { error, id, trusted }));
        return undefined;
      }
      const exchange = new InvocationExchange(this.#options, { request, response, invocation, trusted });
      exchange.start();
      return exchange;
    } catch (error) {
      this.#refuse(request, response, { error, id, trusted });
      return undefined;
    }
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

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    refusal: { readonly error: unknown; readonly id: string; readonly trusted: boolean },
  ): void {
    const error = asHobError(refusal.error);
    if (error.spec.kind === 'platform') this.#options.logger.error({ err: error }, 'a request failed in hob');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const problem = problemOf(error, { instance: refusal.id, stranger: !refusal.trusted });
    sendProblem(request, response, problem, {
      headers: ['hob-invocation-id', refusal.id],
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
