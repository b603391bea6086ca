import {
  asHobError,
  encodeFrame,
  encodeJson,
  fail,
  FLAG_END,
  type Frame,
  type FrameStream,
  FrameType,
  type FunctionDirectory,
  type FunctionFailure,
  type CallAccount,
  type HobError,
  IncomingWindow,
  type InvocationHandle,
  type InvocationSink,
  type Invoker,
  OutgoingBody,
  type ResponseHead,
  StreamTable,
} from '@hob/contracts';
import type { RequestCount } from '../request-count.ts';
import type { FrameConnection } from './frame-connection.ts';
import { failurePayload, readCredit, readInvoke, readReason, violation } from './worker-messages.ts';

/** What a worker's calls need of the gateway. */
export interface WorkerCallsOptions {
  readonly invoker: Invoker;
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  /** Of all workers and of the gateway itself. */
  readonly requests: RequestCount;
  readonly draining: () => boolean;
}

type Link = Pick<FrameConnection, 'send' | 'isCongested'>;

/**
 * The server's side of one gateway worker's calls: `RemoteInvoker` has the other.
 *
 * A worker names the version that it resolved; it is looked up anew, so that a call of one that was removed meanwhile fails.
 */
export class WorkerCalls {
  readonly #options: WorkerCallsOptions;
  readonly #link: Link;
  readonly #calls = new StreamTable<WorkerCall>();

  constructor(link: Link, options: WorkerCallsOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** How many are running, or have responses on their way. */
  get size(): number {
    return this.#calls.size;
  }

  /** Takes a frame of a call. @throws ERR_FRAME_BAD_PAYLOAD when the worker broke the protocol. */
  take(frame: Frame): void {
    if (frame.type === FrameType.INVOKE) {
      this.#invoke(frame);
      return;
    }
    const call = this.#calls.get(frame.stream);
    if (call === undefined) throw violation(frame, `stream ${frame.stream} is not open`);
    if (frame.type === FrameType.CLOSED) this.#close(call);
    else call.take(frame);
  }

  /** The connection is congested no more. */
  drain(): void {
    for (const call of this.#calls) call.decongested();
  }

  /** The worker is gone, and its clients with it. */
  lost(): void {
    for (const call of this.#calls) this.#close(call);
  }

  #close(call: WorkerCall): void {
    this.#calls.delete(call.stream);
    this.#options.requests.leave();
    call.close();
  }

  #invoke(frame: Frame): void {
    if (frame.stream === 0 || this.#calls.has(frame.stream)) throw violation(frame, `stream ${frame.stream} is taken`);
    const { name, version, ...request } = readInvoke(frame);
    const hasBody = (frame.flags & FLAG_END) === 0;
    const call = new WorkerCall(this.#link, frame.stream, hasBody);
    const refusal = this.#refusal();
    this.#calls.set(call.stream, call);
    this.#options.requests.enter();
    try {
      if (refusal !== undefined) throw refusal;
      const found = this.#options.directory.resolve(name, version);
      call.start(this.#options.invoker.invoke({ ...request, version: found, hasBody }, call));
    } catch (error) {
      call.fail(asHobError(error), undefined);
    }
  }

  #refusal(): HobError | undefined {
    const { draining, requests } = this.#options;
    if (draining()) return fail('ERR_SCHED_CLOSED', []);
    return requests.isFull ? fail('ERR_HTTP_TOO_MANY_REQUESTS', [requests.max]) : undefined;
  }
}

/** One call of a worker: the sink that its invocation answers on, and the handle that the worker's frames are for. */
class WorkerCall implements InvocationSink, FrameStream {
  readonly stream: number;
  readonly #link: Link;
  readonly #body: OutgoingBody;
  readonly #window = new IncomingWindow();
  #handle: InvocationHandle | undefined;
  #isBodyOpen: boolean;
  #state: 'waiting' | 'head' | 'over' = 'waiting';
  /** The invocation has said its last word. */
  #isAnswered = false;

  constructor(link: Link, stream: number, hasBody: boolean) {
    this.#link = link;
    this.stream = stream;
    this.#isBodyOpen = hasBody;
    this.#body = new OutgoingBody(true, () => this.#handle?.resume());
  }

  get isCongested(): boolean {
    return this.#link.isCongested;
  }

  send(frame: Buffer): void {
    this.#link.send(frame);
  }

  start(handle: InvocationHandle): void {
    this.#handle = handle;
  }

  // The invocation's side.

  head(head: ResponseHead): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'head';
    const payload = { ...head, bodyless: undefined, notes: undefined };
    this.send(encodeJson(FrameType.HEAD, this.stream, payload, head.bodyless ? FLAG_END : 0));
    if (head.bodyless) this.#over();
    else this.#body.attach(this);
  }

  chunk(bytes: Uint8Array): boolean {
    return this.#state !== 'head' || this.#body.write(Buffer.from(bytes));
  }

  end(): void {
    if (this.#state === 'waiting') {
      this.fail(fail('ERR_FN_BAD_RESPONSE', ['it ended before its head']), undefined);
      return;
    }
    this.#isAnswered = true;
    this.#body.end();
    if (!this.#body.isSent) this.send(encodeFrame(FrameType.DONE, this.stream));
  }

  fail(error: HobError, failure: FunctionFailure | undefined, account?: CallAccount): void {
    if (this.#state === 'over' || this.#isAnswered) return;
    this.#isAnswered = true;
    this.#over();
    this.send(encodeJson(FrameType.ERROR, this.stream, failurePayload({ error, failure, account })));
  }

  drain(): void {
    this.#window.resume(this);
  }

  // The worker's side.

  take(frame: Frame): void {
    switch (frame.type) {
      case FrameType.BODY:
        this.#receive(frame);
        return;
      case FrameType.CREDIT:
        if (!this.#body.grant(readCredit(frame))) throw violation(frame, 'too much');
        return;
      case FrameType.CANCEL:
        this.#isBodyOpen = false;
        this.#handle?.cancel(readReason(frame));
        return;
      default:
        throw violation(frame, 'not from a worker');
    }
  }

  decongested(): void {
    this.#body.resume();
  }

  /** The worker has done with it. */
  close(): void {
    this.#over();
    if (!this.#isAnswered) this.#handle?.cancel('disconnected');
    if (this.#isBodyOpen) this.#handle?.end();
  }

  #receive({ payload, flags, type }: Frame): void {
    if (!this.#isBodyOpen) throw violation({ type }, 'after its end');
    if (!this.#window.receive(payload.byteLength)) throw violation({ type }, 'over its credit');
    const isLast = (flags & FLAG_END) !== 0;
    const hasRoom = payload.byteLength === 0 || this.#handle?.write(payload) !== false;
    if (isLast) {
      this.#isBodyOpen = false;
      this.#handle?.end();
    } else this.#window.taken(this, hasRoom);
  }

  #over(): void {
    this.#state = 'over';
    this.#body.discard();
  }
}
