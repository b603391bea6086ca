import { AsyncLocalStorage } from 'node:async_hooks';
import { FLAG_END, FrameType, STREAM_WINDOW_BYTES } from '@hob/contracts/frames';
import type { CancelPayload, FailurePayload, HeadPayload, InvokePayload, LogPayload } from '@hob/contracts/protocol';
import { encodeText } from './encode-text.ts';
import { failureOf, refusal, reportError } from './failure.ts';
import type { FrameSink } from './frame-sink.ts';
import type { Handler } from './handler.ts';
import { InvocationContext } from './invocation-context.ts';
import { InvocationSignal } from './invocation-signal.ts';
import { makeRequest } from './lazy-request.ts';
import { headerList, takeWholeResponse } from './lazy-response.ts';
import { LogLines, type LogSender } from './log-lines.ts';
import { RequestBody } from './request-body.ts';
import { ResponseBody } from './response-body.ts';

const { parse, stringify } = JSON;
const NativeResponse = globalThis.Response;
const utf8 = new TextDecoder();
const JSON_TYPE = 'application/json';

/** The invocation that the running code belongs to: what its output is attributed to. */
export const currentInvocation = new AsyncLocalStorage<Invocation>();

/** What the invocations of a container have in common. */
export interface InvocationScope {
  readonly sink: FrameSink;
  readonly logs: LogSender;
  readonly functionName: string;
  readonly functionVersion: number;
  /** Called once when an invocation is over. */
  readonly ended: (stream: number) => void;
}

/** One call, from its INVOKE frame to DONE or ERROR. */
export class Invocation {
  readonly requestBody: RequestBody | undefined;
  readonly #stream: number;
  readonly #payload: InvokePayload;
  readonly #scope: InvocationScope;
  readonly #signal: InvocationSignal;
  #lines: LogLines | undefined;
  #responseBody: ResponseBody | undefined;
  #creditBytes = STREAM_WINDOW_BYTES;
  #background: Promise<unknown>[] | undefined;
  /** Set when nobody waits for the response any more. */
  #cut: DOMException | undefined;
  #isOver = false;

  constructor(stream: number, payload: InvokePayload, hasBody: boolean, scope: InvocationScope) {
    this.#stream = stream;
    this.#payload = payload;
    this.#scope = scope;
    this.#signal = new InvocationSignal(payload);
    this.requestBody = hasBody ? new RequestBody(stream, scope.sink) : undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Calls the handler and sends what it answers. Whatever the handler does, exactly one DONE or ERROR is sent. */
  run(handler: Handler): void {
    void currentInvocation.run(this, () => this.#run(handler));
  }

  /** Takes output of the invocation's code. */
  log(channel: LogPayload['channel'], text: string): void {
    this.#lines ??= new LogLines(this.#scope.logs, this.#stream);
    this.#lines.write(channel, text);
  }

  flushLog(): void {
    this.#lines?.flush();
  }

  /** The host takes `bytes` more of the response. */
  grant(bytes: number): void {
    if (this.#responseBody) this.#responseBody.grant(bytes);
    else this.#creditBytes += bytes;
  }

  /**
   * Aborts the handler's signal. When the caller is gone the response is cut short too; before a timeout or at a
   * shutdown the caller still waits, and gets what comes in time.
   */
  cancel(reason: CancelPayload['reason']): void {
    const isTimeout = reason === 'timeout';
    const error = new DOMException(`the invocation is aborted: ${reason}`, isTimeout ? 'TimeoutError' : 'AbortError');
    currentInvocation.run(this, () => {
      this.#signal.abort(error);
      if (isTimeout || reason === 'shutdown') return;
      this.#cut ??= error;
      this.requestBody?.abort(error);
      this.#responseBody?.stop(error);
    });
  }

  async #run(handler: Handler): Promise<void> {
    let failure: FailurePayload | undefined;
    try {
      failure = await this.#answer(handler);
    } catch (error) {
      failure = failureOf(error);
    }
    // The host frees the container with DONE; after a failure there is nothing worth keeping it for.
    if (!failure) await this.#backgroundDone();
    this.#end(failure);
  }

  async #answer(handler: Handler): Promise<FailurePayload | undefined> {
    if (handler.takes === 'event') {
      const event = parseEvent((await this.requestBody?.readAll()) ?? new Uint8Array(0));
      if ('failure' in event) return event.failure;
      const result = await handler.call(event.value, this.#makeContext());
      return isResponse(result) ? this.#sendResponse(result) : this.#sendJson(result);
    }
    const response = await handler.call(this.#makeRequest(), this.#makeContext());
    if (isResponse(response)) return this.#sendResponse(response);
    return refusal('bad-response', 'TypeError', `the handler must return a Response, not ${typeName(response)}`);
  }

  #makeRequest(): Request {
    const payload = this.#payload;
    const { method, url } = payload;
    // The standard knows no body for these; what a client sends all the same is not read.
    const body = method === 'GET' || method === 'HEAD' ? undefined : this.requestBody;
    return makeRequest({ method, url, headers: () => payload.headers, body, signal: () => this.#signal.signal });
  }

  #makeContext(): InvocationContext {
    const { id, deadlineMs } = this.#payload;
    const { functionName, functionVersion } = this.#scope;
    const waitUntil = (work: unknown): void => this.#waitUntil(work);
    return new InvocationContext({ id, functionName, functionVersion, deadlineMs, signal: this.#signal, waitUntil });
  }

  async #backgroundDone(): Promise<void> {
    // Background work may ask for more of it.
    while (this.#background?.length) await Promise.all(this.#background.splice(0));
  }

  #waitUntil(work: unknown): void {
    const logFailure = (error: unknown): void => {
      this.log('stderr', `waitUntil: ${reportError(error).stack}\n`);
      if (this.#isOver) this.flushLog();
    };
    this.#background ??= [];
    this.#background.push(Promise.resolve(work).catch(logFailure));
  }

  #sendJson(result: unknown): FailurePayload | Promise<FailurePayload | undefined> | undefined {
    let text: string | undefined;
    try {
      text = stringify(result) as string | undefined;
    } catch (error) {
      return { ...failureOf(error), kind: 'bad-response' };
    }
    return this.#sendWhole(200, ['content-type', JSON_TYPE], text ?? 'null');
  }

  async #sendResponse(response: Response): Promise<FailurePayload | undefined> {
    const whole = takeWholeResponse(response);
    if (whole) return this.#sendWhole(whole.status, whole.headers, whole.body);
    const { status, body } = response;
    if (status === 0) return refusal('bad-response', 'TypeError', 'the handler returned Response.error()');
    if (response.bodyUsed || body?.locked) {
      return refusal('bad-response', 'TypeError', 'the body of the returned Response was already read');
    }
    const hasBody = body !== null && this.#payload.method !== 'HEAD';
    if (!hasBody || this.#cut) body?.cancel(this.#cut).catch(() => undefined);
    if (this.#cut) return failureOf(this.#cut);
    const failure = this.#sendHead({ status, headers: headerList(response.headers) }, !hasBody);
    if (failure || !hasBody) return failure;
    return (await this.#makeResponseBody().sendStream(body)) ? undefined : failureOf(this.#cut);
  }

  /** Sends a response that is all there, at once if the host takes what is sent, and in a single write if its window has room for it. */
  #sendWhole(
    status: number,
    headers: string[],
    text: string | null,
  ): FailurePayload | Promise<FailurePayload | undefined> | undefined {
    if (this.#cut) return failureOf(this.#cut);
    const { sink } = this.#scope;
    if (!sink.hasRoom) {
      return new Promise((resolve) => {
        sink.whenRoom(() => resolve(this.#sendWhole(status, headers, text)));
      });
    }
    const payload = encodeText(text ?? '');
    const bytes = payload.byteLength;
    const hasBody = bytes > 0 && this.#payload.method !== 'HEAD';
    if (text !== null) setHeader(headers, 'content-length', String(bytes));
    const failure = this.#sendHead({ status, headers }, !hasBody);
    if (failure || !hasBody) return failure;
    if (bytes > this.#creditBytes) return this.#sendBytes(Buffer.from(payload));
    sink.send({ type: FrameType.BODY, stream: this.#stream, payload, flags: FLAG_END });
    return undefined;
  }

  async #sendBytes(bytes: Uint8Array): Promise<FailurePayload | undefined> {
    return (await this.#makeResponseBody().sendBytes(bytes)) ? undefined : failureOf(this.#cut);
  }

  #makeResponseBody(): ResponseBody {
    this.#responseBody = new ResponseBody(this.#stream, this.#scope.sink, this.#creditBytes);
    return this.#responseBody;
  }

  #sendHead(head: HeadPayload, isEnd: boolean): FailurePayload | undefined {
    try {
      const payload = stringify(head);
      this.#scope.sink.send({ type: FrameType.HEAD, stream: this.#stream, payload, flags: isEnd ? FLAG_END : 0 });
      return undefined;
    } catch {
      return refusal('bad-response', 'RangeError', 'the headers of the response are too large');
    }
  }

  #end(failure: FailurePayload | undefined): void {
    this.#signal.close();
    this.requestBody?.abort(new DOMException('the invocation is over', 'AbortError'));
    this.flushLog();
    this.#isOver = true;
    const [type, payload] = failure ? [FrameType.ERROR, stringify(failure)] : [FrameType.DONE, undefined];
    this.#scope.sink.send({ type, stream: this.#stream, payload });
    this.#scope.ended(this.#stream);
  }
}

function parseEvent(body: Uint8Array): { readonly value: unknown } | { readonly failure: FailurePayload } {
  if (body.byteLength === 0) return { value: undefined };
  try {
    return { value: parse(utf8.decode(body)) };
  } catch (error) {
    return { failure: { ...failureOf(error), kind: 'bad-event', stack: '' } };
  }
}

/** Whether a value is a Response: ours, Node's, or one of another implementation that is bundled with the function. */
function isResponse(value: unknown): value is Response {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof NativeResponse) return true;
  return Reflect.get(value, Symbol.toStringTag) === 'Response' && 'status' in value && 'headers' in value;
}

function typeName(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value === null ? null : typeof value);
  const constructor: unknown = Reflect.get(value, 'constructor');
  return typeof constructor === 'function' ? `an object of class ${constructor.name}` : 'an object';
}

/** Sets the one value of a header in a flat list. */
function setHeader(headers: string[], name: string, value: string): void {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] !== name) continue;
    headers[at + 1] = value;
    return;
  }
  headers.push(name, value);
}
