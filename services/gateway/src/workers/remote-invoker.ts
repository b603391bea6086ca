import {
  asHobError,
  encodeFrame,
  encodeJson,
  fail,
  FLAG_END,
  type Frame,
  FrameType,
  type FrameStream,
  type HobError,
  IncomingWindow,
  type InvocationHandle,
  type InvocationRequest,
  type InvocationSink,
  type Invoker,
  OutgoingBody,
  StreamTable,
} from '@hob/contracts';
import type { FrameConnection } from './frame-connection.ts';
import { readCredit, readFailure, readHead, type RemoteCallRequest, violation } from './worker-messages.ts';

const STREAMS_MAX = 0xffff_ffff;

/** What a call needs of its connection. */
type Link = Pick<FrameConnection, 'send' | 'isCongested'>;

/**
 * Runs the calls of a gateway worker in the server's process, over one connection that all of them share.
 *
 * A call has a stream from `invoke` until `closed`, so that the server counts it for as long as its response is on its way.
 */
export class RemoteInvoker implements Invoker {
  readonly #link: Link;
  readonly #calls = new StreamTable<RemoteCall>();
  #lastStream = 0;
  #isLost = false;

  constructor(link: Link) {
    this.#link = link;
  }

  invoke(request: InvocationRequest, sink: InvocationSink): InvocationHandle {
    const call = new RemoteCall(this.#link, this.#nextStream(), { request, sink });
    if (this.#isLost) {
      call.lost();
      return call;
    }
    this.#calls.set(call.stream, call);
    call.start();
    return call;
  }

  cancel(invocationId: string): boolean {
    for (const call of this.#calls) {
      if (call.id !== invocationId || call.isOver) continue;
      call.cancel('cancelled');
      return true;
    }
    return false;
  }

  /** The response of a call has left, or never will. Nothing more is said of the call. */
  closed(call: InvocationHandle): void {
    if (!(call instanceof RemoteCall) || this.#calls.get(call.stream) !== call) return;
    this.#calls.delete(call.stream);
    call.close();
  }

  /** Takes a frame of a call. @throws ERR_FRAME_BAD_PAYLOAD when the server broke the protocol. */
  take(frame: Frame): void {
    // One that is closed was unknown to the server when it sent this.
    this.#calls.get(frame.stream)?.take(frame);
  }

  /** The connection is congested no more. */
  drain(): void {
    for (const call of this.#calls) call.drain();
  }

  /** The connection is gone: every call fails, also those to come. */
  lost(): void {
    this.#isLost = true;
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const call of calls) call.lost();
  }

  #nextStream(): number {
    do this.#lastStream = (this.#lastStream % STREAMS_MAX) + 1;
    while (this.#calls.has(this.#lastStream));
    return this.#lastStream;
  }
}

/**
 * One call. Its sink is told waiting → head → over, or over from any state.
 */
class RemoteCall implements InvocationHandle, FrameStream {
  readonly stream: number;
  readonly #link: Link;
  readonly #request: InvocationRequest;
  readonly #sink: InvocationSink;
  readonly #body: OutgoingBody;
  readonly #window = new IncomingWindow();
  #state: 'waiting' | 'head' | 'over' = 'waiting';
  #wasSent = false;
  /** Nothing more is to be sent of it. */
  #isSilent = false;

  constructor(
    link: Link,
    stream: number,
    call: { readonly request: InvocationRequest; readonly sink: InvocationSink },
  ) {
    this.#link = link;
    this.stream = stream;
    this.#request = call.request;
    this.#sink = call.sink;
    this.#body = new OutgoingBody(call.request.hasBody, () => this.#sink.drain());
  }

  get id(): string {
    return this.#request.id;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  get isCongested(): boolean {
    return this.#link.isCongested;
  }

  send(frame: Buffer): void {
    this.#link.send(frame);
  }

  start(): void {
    const { id, version, method, url, headers, hasBody } = this.#request;
    const { name, version: number } = version;
    const payload: RemoteCallRequest = { id, name, version: number, method, url, headers };
    try {
      this.send(encodeJson(FrameType.INVOKE, this.stream, payload, hasBody ? 0 : FLAG_END));
    } catch (error) {
      this.#fail(asHobError(error));
      return;
    }
    this.#wasSent = true;
    if (hasBody) this.#body.attach(this);
  }

  write(chunk: Uint8Array): boolean {
    return this.#body.write(chunk);
  }

  end(): void {
    this.#body.end();
  }

  resume(): void {
    if (this.#state !== 'over') this.#window.resume(this);
  }

  cancel(reason: 'disconnected' | 'cancelled'): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    this.#body.discard();
    this.send(encodeJson(FrameType.CANCEL, this.stream, { reason }));
  }

  close(): void {
    this.#state = 'over';
    this.#isSilent = true;
    this.#body.discard();
    if (this.#wasSent) this.send(encodeFrame(FrameType.CLOSED, this.stream));
  }

  drain(): void {
    this.#body.resume();
  }

  lost(): void {
    this.#fail(fail('ERR_SCHED_CLOSED', []));
  }

  take(frame: Frame): void {
    if (frame.type === FrameType.CREDIT) {
      if (!this.#body.grant(readCredit(frame))) throw violation(frame, 'too much');
      return;
    }
    if (this.#state === 'over') throw violation(frame, 'after the end');
    const isLast = (frame.flags & FLAG_END) !== 0;
    switch (frame.type) {
      case FrameType.HEAD:
        if (this.#state !== 'waiting') throw violation(frame, 'twice');
        this.#state = 'head';
        this.#sink.head({ ...readHead(frame), bodyless: isLast });
        if (isLast) this.#end();
        return;
      case FrameType.BODY:
        this.#receive(frame, isLast);
        return;
      case FrameType.DONE:
        this.#sink.finished?.();
        return;
      case FrameType.ERROR: {
        const { error, failure, account } = readFailure(frame);
        this.#state = 'over';
        this.#body.discard();
        this.#sink.fail(error, failure, account);
        return;
      }
      default:
        throw violation(frame, 'not from the server');
    }
  }

  #receive(frame: Frame, isLast: boolean): void {
    const { payload } = frame;
    if (this.#state !== 'head') throw violation(frame, 'before HEAD');
    if (!this.#window.receive(payload.byteLength)) throw violation(frame, 'over its credit');
    if (payload.byteLength > 0) {
      const hasRoom = this.#sink.chunk(payload);
      if (!isLast) this.#window.taken(this, hasRoom);
    }
    if (isLast) this.#end();
  }

  #end(): void {
    this.#state = 'over';
    this.#body.discard();
    this.#sink.end();
  }

  #fail(error: HobError): void {
    this.#isSilent = true;
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#body.discard();
    this.#sink.fail(error, undefined);
  }
}
