import { IncomingMessage } from 'node:http';
import {
  type CallAccount,
  fail,
  type FunctionFailure,
  giveMemory,
  type HobError,
  type InvocationHandle,
  type InvocationRequest,
  type InvocationSink,
  type Invoker,
  isHobError,
  KEPT_BYTES_MIN,
  type Outcome,
  type ResponseHead,
  takeMemory,
} from '@hob/contracts';
import type { Logger } from 'pino';
import type { GatewayLimits } from './gateway-limits.ts';
import { problemOf, sendProblem } from './problem.ts';
import { decimal, receiptHeader } from './receipt-header.ts';
import { type CleanHeaders, cleanResponseHeaders } from './response-headers.ts';
import type { CallResponse } from './simple/call-response.ts';
import type { SimpleRequest } from './simple/simple-request.ts';
import type { Deferred, TurnEnd } from './turn-end.ts';

/** What every exchange needs of the gateway. */
export interface ExchangeContext {
  readonly invoker: Invoker;
  readonly limits: GatewayLimits;
  readonly logger: Logger;
  readonly turnEnd: TurnEnd;
  /** The gateway is stopping: connections end with their current response. */
  readonly draining: () => boolean;
  /** Told of each invocation whose response has left, or never will. */
  readonly closed?: (call: InvocationHandle) => void;
}

/** One HTTP request together with the invocation made of it. */
export interface ExchangeParts {
  /** Node's, whose body is still to come, or one of which nothing is missing. */
  readonly request: IncomingMessage | SimpleRequest;
  readonly response: CallResponse;
  readonly invocation: InvocationRequest;
  /** The caller presented a valid token and may see what the function threw. */
  readonly trusted: boolean;
}

/** A copy of a piece of a body: a string with a character for each byte, or bytes. */
type Piece = string | Uint8Array;

/**
 * Copies a piece. Of a small one a string is cheaper, as Node sends it together with the head. A large string would be copied twice
 * more on its way; memory for bytes is used again after `giveBack`.
 */
function copyOf({ buffer, byteOffset, byteLength }: Uint8Array): Piece {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  if (byteLength < KEPT_BYTES_MIN) return bytes.toString('latin1');
  const memory = takeMemory(byteLength);
  bytes.copy(memory);
  return memory.subarray(0, byteLength);
}

/** Nobody looks at it any more. What is bytes begins the memory that it lies in, and is alone there. */
function giveBack(piece: Piece): void {
  if (typeof piece !== 'string') giveMemory(Buffer.from(piece.buffer));
}

/** Where a call's container came from, what took how long and how much, added to a flat list of headers. */
function addAccount(headers: string[], account: CallAccount, bytesOut: number, outcome: Outcome | undefined): void {
  const { start, queueMs, createMs, thawMs, loadMs, runMs } = account;
  const timing =
    `queue;dur=${decimal(queueMs)}, create;dur=${decimal(createMs)}, ` +
    `${thawMs === 0 ? '' : `thaw;dur=${decimal(thawMs)}, `}load;dur=${decimal(loadMs)}, run;dur=${decimal(runMs)}`;
  headers.push('hob-start', start, 'server-timing', timing);
  headers.push('hob-receipt', receiptHeader(account, bytesOut, outcome));
}

/** As `cleanResponseHeaders`, which is done once for heads that are the same. Nothing of the result may be changed. */
function cleanOf({ headers, notes }: ResponseHead, bytesMax: number): CleanHeaders | HobError {
  if (notes === undefined) return cleanResponseHeaders(headers, bytesMax);
  return (notes.clean ??= cleanResponseHeaders(headers, bytesMax)) as CleanHeaders | HobError;
}

/** The answer of these has no body, whatever the function sent. */
const isBodyless = (status: number): boolean => status === 204 || status === 205 || status === 304;

/**
 * Carries one invocation between a client's connection and the invoker, with back-pressure both ways.
 *
 * The response goes waiting → held → sending → over, or to over from any state. It is *held* from the head until
 * all is dealt with that was read with it: that leaves in one write, with a content-length when it is complete.
 * Nothing is written once it is *over*; until the head was sent a failure is a problem document, afterwards it cuts
 * the connection.
 */
export class InvocationExchange implements InvocationSink, Deferred {
  readonly #context: ExchangeContext;
  readonly #request: IncomingMessage | undefined;
  readonly #body: Buffer | undefined;
  readonly #response: CallResponse;
  readonly #invocation: InvocationRequest;
  readonly #trusted: boolean;
  #handle: InvocationHandle | undefined;
  #cancelReason: 'disconnected' | 'cancelled' | undefined;
  #state: 'waiting' | 'held' | 'sending' | 'over' = 'waiting';
  #status = 0;
  #headers: string[] = [];
  /** As of the head; it is told when the head leaves. */
  #account: CallAccount | undefined;
  /** The first bytes of the body while the response is held; then those that it ended with, until they have left. */
  #first: Piece | undefined;
  /** The length that the function declared, or -1. */
  #declared = -1;
  #sentBytes = 0;
  #receivedBytes = 0;
  /** The client may send, but the container takes no more now. */
  #requestPaused = false;
  /** The client reads slower than the function writes. */
  #responseFull = false;
  /** The function waits for nothing any more. */
  #isFinished = false;

  constructor(context: ExchangeContext, parts: ExchangeParts) {
    this.#context = context;
    const { request } = parts;
    if (request instanceof IncomingMessage) this.#request = request;
    else this.#body = request.body;
    this.#response = parts.response;
    this.#invocation = parts.invocation;
    this.#trusted = parts.trusted;
  }

  /** Starts the invocation. Called once; the caller then tells `closed`. */
  start(): void {
    const handle = this.#context.invoker.invoke(this.#invocation, this);
    this.#handle = handle;
    if (this.#cancelReason !== undefined) handle.cancel(this.#cancelReason);
    if (!this.#invocation.hasBody) return;
    if (this.#request !== undefined) this.#receiveBody(handle, this.#request);
    else if (this.#body !== undefined) {
      handle.write(this.#body);
      handle.end();
    }
  }

  head(head: ResponseHead): void {
    if (this.#state !== 'waiting') return;
    const { status } = head;
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      this.#refuse(fail('ERR_FN_BAD_RESPONSE', [`${status} is no status of a complete response`]));
      return;
    }
    const clean = cleanOf(head, this.#context.limits.headerBytesMax);
    if (isHobError(clean)) {
      this.#refuse(clean);
      return;
    }
    this.#status = status;
    this.#headers = [...clean.headers];
    this.#declared = clean.contentLength;
    this.#account = head;
    this.#state = 'held';
    if (this.#invocation.method === 'HEAD' || isBodyless(status) || head.bodyless) this.#finishBodyless();
    else this.#context.turnEnd.defer(this);
  }

  chunk(bytes: Uint8Array): boolean {
    if (this.#state === 'over' || this.#state === 'waiting') return true;
    if (this.#state === 'held') {
      if (this.#first === undefined) {
        this.#first = copyOf(bytes);
        return true;
      }
      this.#flush();
    }
    return this.#write(copyOf(bytes));
  }

  end(): void {
    if (this.#state === 'waiting') this.#refuse(fail('ERR_FN_BAD_RESPONSE', ['it ended before its head']));
    else if (this.#state === 'held') this.#finishAtOnce();
    else if (this.#state === 'sending') {
      if (this.#declared === -1 || this.#declared === this.#sentBytes) this.#finish();
      else this.#cut(fail('ERR_FN_BAD_RESPONSE', [this.#lengthMismatch(this.#sentBytes)]));
    }
  }

  fail(error: HobError, failure: FunctionFailure | undefined, account?: CallAccount): void {
    if (this.#state === 'over') return;
    if (error.spec.kind === 'platform') {
      this.#context.logger.error({ err: error, invocationId: this.#invocation.id }, 'an invocation failed in hob');
    }
    if (this.#state === 'sending') this.#cut(error);
    else this.#answer(error, failure, account);
  }

  drain(): void {
    if (!this.#requestPaused) return;
    this.#requestPaused = false;
    this.#request?.resume();
  }

  finished(): void {
    this.#isFinished = true;
    if (this.#state === 'sending') this.#limitIdleness();
  }

  /** Sends what is held; more of the body will come. */
  turnEnded(): void {
    this.#flush();
  }

  /** The response was sent or its connection is gone. */
  closed(): void {
    if (!this.#response.writableFinished) {
      this.#state = 'over';
      this.#cancel('disconnected');
    } else if (this.#first !== undefined) giveBack(this.#first);
    if (this.#handle !== undefined) this.#context.closed?.(this.#handle);
  }

  #receiveBody(handle: InvocationHandle, request: IncomingMessage): void {
    const { limits } = this.#context;
    request.setTimeout(limits.bodyIdleMs);
    // While we do not read, silence is ours.
    request.on('timeout', () => {
      if (!this.#requestPaused) request.destroy();
    });
    request.on('data', (chunk: Buffer) => {
      this.#receivedBytes += chunk.byteLength;
      if (this.#receivedBytes > limits.bodyBytesMax) this.#bodyTooLarge();
      else if (this.#state !== 'over' && !handle.write(chunk)) {
        this.#requestPaused = true;
        request.pause();
      }
    });
    request.once('end', () => {
      // After an answer that came before the end of the body, the connection is idle from now on.
      request.setTimeout(this.#response.writableFinished ? limits.keepAliveMs : 0);
      handle.end();
    });
  }

  #bodyTooLarge(): void {
    const error = fail('ERR_HTTP_BODY_TOO_LARGE', [this.#context.limits.bodyBytesMax]);
    if (this.#state === 'sending') this.#cut(error);
    else if (this.#state !== 'over') this.#refuse(error);
    // The answer left before the body was complete; a refused body has its own end in `sendProblem`.
    else if (this.#response.writableEnded) this.#request?.destroy();
  }

  /** Sends the head, with hob's own account of the call. @param bytesOut of a response that is complete. */
  #sendHead(bytesOut?: number): void {
    const headers = this.#headers;
    headers.push('hob-invocation-id', this.#invocation.id);
    headers.push('hob-version', String(this.#invocation.version.version));
    const known = bytesOut ?? this.#first?.length ?? 0;
    if (this.#account !== undefined)
      addAccount(headers, this.#account, known, bytesOut === undefined ? undefined : 'ok');
    if (this.#context.draining()) headers.push('connection', 'close');
    this.#response.writeHead(this.#status, headers);
  }

  /** HEAD and 304 may name the length that a GET would have had; 204 may not, and of 205 it is 0. */
  #finishBodyless(): void {
    const mayDeclare = this.#invocation.method === 'HEAD' || this.#status === 304;
    if (this.#status === 205) this.#headers.push('content-length', '0');
    else if (this.#status === 204) this.#declared = -1;
    else if (!mayDeclare && this.#declared > 0) {
      this.#refuse(fail('ERR_FN_BAD_RESPONSE', [this.#lengthMismatch(0)]));
      return;
    } else if (this.#declared !== -1) this.#headers.push('content-length', String(this.#declared));
    else if (!mayDeclare) this.#headers.push('content-length', '0');
    this.#sendHead(0);
    this.#finish();
  }

  /** The whole response is there: one write. */
  #finishAtOnce(): void {
    const body = this.#first ?? '';
    if (this.#declared !== -1 && this.#declared !== body.length) {
      this.#refuse(fail('ERR_FN_BAD_RESPONSE', [this.#lengthMismatch(body.length)]));
      return;
    }
    this.#headers.push('content-length', String(body.length));
    this.#sendHead(body.length);
    this.#finish(body);
  }

  #flush(): void {
    if (this.#state !== 'held') return;
    if (this.#declared !== -1) this.#headers.push('content-length', String(this.#declared));
    this.#state = 'sending';
    this.#sendHead();
    if (this.#isFinished) this.#limitIdleness();
    const first = this.#first;
    this.#first = undefined;
    if (first === undefined) this.#response.flushHeaders();
    else this.#write(first);
  }

  #write(piece: Piece): boolean {
    this.#sentBytes += piece.length;
    if (this.#declared !== -1 && this.#sentBytes > this.#declared) {
      this.#cut(fail('ERR_FN_BAD_RESPONSE', [this.#lengthMismatch(this.#sentBytes)]));
      return true;
    }
    const hasLeft = typeof piece === 'string' ? undefined : (error?: Error | null) => void (error ?? giveBack(piece));
    if (this.#response.write(piece, 'latin1', hasLeft)) return true;
    if (!this.#responseFull) {
      this.#responseFull = true;
      this.#response.once('drain', () => {
        this.#responseFull = false;
        this.#handle?.resume();
      });
    }
    return false;
  }

  #finish(body: Piece = ''): void {
    this.#state = 'over';
    this.#response.end(body, 'latin1');
    if (this.#requestPaused) this.drain();
    if (this.#response.writableLength > 0) this.#limitIdleness();
  }

  /** What the kernel cannot take at once depends on the client, who must not keep us waiting for ever. */
  #limitIdleness(): void {
    this.#response.setTimeout(this.#context.limits.bodyIdleMs);
  }

  #lengthMismatch(bytes: number): string {
    return `it declared ${this.#declared} bytes and sent ${bytes}`;
  }

  /** Ends the invocation for our own reason. */
  #refuse(error: HobError): void {
    this.#answer(error);
    this.#cancel('cancelled');
  }

  #answer(error: HobError, failure?: FunctionFailure, account?: CallAccount): void {
    this.#state = 'over';
    this.#first = undefined;
    const { id, version } = this.#invocation;
    const problem = problemOf(error, {
      instance: id,
      failure: this.#trusted ? failure : undefined,
      stranger: !this.#trusted,
    });
    const headers = ['hob-invocation-id', id, 'hob-version', String(version.version)];
    if (account !== undefined) addAccount(headers, account, account.bytesOut, error.code);
    sendProblem(this.#request, this.#response, problem, {
      headers,
      lingerMs: this.#context.limits.lingerMs,
      close: this.#context.draining(),
    });
  }

  /** The head is out: only a broken connection can tell the client that the rest will not come. */
  #cut(error: HobError): void {
    this.#state = 'over';
    const { id, version } = this.#invocation;
    this.#context.logger.warn(
      { err: error, invocationId: id, function: version.name, version: version.version },
      'a response was cut short',
    );
    this.#cancel('cancelled');
    this.#response.destroy();
  }

  #cancel(reason: 'disconnected' | 'cancelled'): void {
    this.#cancelReason ??= reason;
    this.#handle?.cancel(reason);
  }
}
