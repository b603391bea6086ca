import type { InvocationHandle, InvocationRequest, InvocationSink, Invoker, ResponseHead } from '@hob/contracts';

/** A head as a warm container gives it. */
export function headOf(
  status: number,
  headers: readonly string[] = [],
  more: Partial<ResponseHead> = {},
): ResponseHead {
  const timing = { queueMs: 0.25, createMs: 0, thawMs: 0, loadMs: 0, runMs: 1.125 };
  const used = { cpuMs: 0.5, memoryPeakBytes: 9_000_000, containerAgeMs: 1000, bytesIn: 0, bytesOut: 0 };
  return { status, headers, bodyless: false, start: 'warm', ...timing, ...used, ...more };
}

/** One call as the invoker sees it: what came in, and the sink to answer on. */
export class FakeCall implements InvocationHandle {
  readonly request: InvocationRequest;
  readonly sink: InvocationSink;
  readonly chunks: Buffer[] = [];
  ended = false;
  cancelled: 'disconnected' | 'cancelled' | undefined;
  resumed = 0;
  /** What `write` answers: false stands for a container that takes no more. */
  takesMore = true;

  constructor(request: InvocationRequest, sink: InvocationSink) {
    this.request = request;
    this.sink = sink;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  write(chunk: Uint8Array): boolean {
    this.chunks.push(Buffer.from(chunk));
    return this.takesMore;
  }

  end(): void {
    this.ended = true;
  }

  cancel(reason: 'disconnected' | 'cancelled'): void {
    this.cancelled ??= reason;
  }

  resume(): void {
    this.resumed += 1;
  }

  /** The value of a header that the function gets. */
  header(name: string): string | undefined {
    const at = this.request.headers.findIndex((entry, index) => index % 2 === 0 && entry === name);
    return at === -1 ? undefined : this.request.headers[at + 1];
  }

  /** Answers completely. */
  answer(status: number, headers: readonly string[] = [], body = ''): void {
    this.sink.head(headOf(status, headers));
    if (body !== '') this.sink.chunk(Buffer.from(body));
    this.sink.end();
  }
}

/** An invoker that hands each call to the test. */
export class FakeInvoker implements Invoker {
  readonly calls: FakeCall[] = [];
  readonly cancelledIds: string[] = [];
  /** Runs within `invoke`, before it returns. */
  onCall: (call: FakeCall) => void = (call) => call.answer(200, ['content-type', 'text/plain'], 'hello');

  invoke(request: InvocationRequest, sink: InvocationSink): InvocationHandle {
    const call = new FakeCall(request, sink);
    this.calls.push(call);
    this.onCall(call);
    return call;
  }

  cancel(invocationId: string): boolean {
    this.cancelledIds.push(invocationId);
    return this.calls.some((call) => call.request.id === invocationId && !call.ended);
  }

  /** The newest call. */
  get last(): FakeCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('there was no call');
    return call;
  }
}
