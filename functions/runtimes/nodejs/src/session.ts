import { resolve } from 'node:path';
import { decodeCredit, cutPayload, FLAG_END, type Frame, FrameDecoder, FrameType } from '@hob/contracts/frames';
import { decodeInvoke } from '@hob/contracts/invoke';
import type {
  CancelPayload,
  ClaimPayload,
  CompilePayload,
  FailurePayload,
  LoadedPayload,
  ParkedPayload,
} from '@hob/contracts/protocol';
import { StreamTable } from '@hob/contracts/stream-table';
import { failureOf, refusal } from './failure.ts';
import type { FrameSink } from './frame-sink.ts';
import { findHandler, type Handler } from './handler.ts';
import { currentInvocation, Invocation, type InvocationScope } from './invocation.ts';
import { LogLines, LogSender } from './log-lines.ts';
import { loadModule, makeCodeCache } from './module-loader.ts';
import type { WriteText } from './stdio.ts';

const TASK_FOLDER = '/var/task';

// A function may replace it later.
const { nextTick } = process;

/** What a session wants of its process. */
export interface SessionOwner {
  /** The container has a function now; its code has not run yet. */
  claimed(claim: ClaimPayload): void;
  /** The code cannot be loaded: LOAD_FAILED is queued, and the container is to end. */
  loadFailed(): void;
}

/** One container's conversation with the host: claim, load, invocations. */
export class Session {
  readonly #sink: FrameSink;
  readonly #owner: SessionOwner;
  readonly #logs: LogSender;
  readonly #lines: LogLines;
  /** What it reads into is used again. */
  readonly #decoder = new FrameDecoder((frame) => this.#take(frame), true);
  readonly #invocations = new StreamTable<Invocation>();
  /** Invocations that do not run yet: until the code is loaded, and until the bytes at hand are read, small bodies with them. */
  #arrived: Invocation[] = [];
  #claim: ClaimPayload | undefined;
  #compile: CompilePayload | undefined;
  #code: Uint8Array[] = [];
  #cache: Uint8Array[] = [];
  #scope: InvocationScope | undefined;
  #handler: Handler | undefined;

  constructor(sink: FrameSink, owner: SessionOwner) {
    this.#sink = sink;
    this.#owner = owner;
    this.#logs = new LogSender(sink);
    this.#lines = new LogLines(this.#logs, 0);
  }

  /** Tells the host that the container waits to be claimed. */
  park(): void {
    const payload: ParkedPayload = { nodeVersion: process.version };
    this.#send(FrameType.PARKED, 0, payload);
  }

  /** Takes bytes from the host. @throws ERR_FRAME_… when they are no frames, after which the session is unusable. */
  receive(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    if (this.#arrived.length > 0) this.#runArrived();
  }

  /** Calls may be sent right behind the code: they wait here until it is loaded. */
  #runArrived(): void {
    const handler = this.#handler;
    if (!handler) return;
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const invocation of arrived) invocation.run(handler);
  }

  /** Takes output: it belongs to the invocation whose code is running, if that is not over. */
  readonly log: WriteText = (channel, text) => {
    const invocation = currentInvocation.getStore();
    if (invocation && !invocation.isOver) invocation.log(channel, text);
    else this.#lines.write(channel, text);
  };

  /** Sends all output that has no line end yet. */
  flushLogs(): void {
    for (const invocation of this.#invocations) invocation.flushLog();
    this.#lines.flush();
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case FrameType.INVOKE:
        this.#invoke(frame);
        break;
      case FrameType.BODY:
        this.#invocations.get(frame.stream)?.requestBody?.push(frame.payload, (frame.flags & FLAG_END) !== 0);
        break;
      case FrameType.CREDIT:
        this.#invocations.get(frame.stream)?.grant(decodeCredit(frame));
        break;
      case FrameType.CANCEL:
        this.#invocations.get(frame.stream)?.cancel((parse(frame) as CancelPayload).reason);
        break;
      case FrameType.CLAIM:
        this.#claimed(parse(frame) as ClaimPayload);
        break;
      case FrameType.COMPILE:
        this.#compile = parse(frame) as CompilePayload;
        break;
      case FrameType.CACHE:
        this.#cache.push(Buffer.from(frame.payload));
        break;
      case FrameType.CODE:
        this.#code.push(Buffer.from(frame.payload));
        if ((frame.flags & FLAG_END) !== 0) this.#codeComplete();
        break;
      default:
      // The rest goes from the container to the host, which never sends it.
    }
  }

  #claimed(claim: ClaimPayload): void {
    this.#claim = claim;
    this.#scope = {
      sink: this.#sink,
      logs: this.#logs,
      functionName: claim.function,
      functionVersion: claim.version,
      ended: (stream) => this.#invocations.delete(stream),
    };
  }

  #invoke(frame: Frame): void {
    const { stream } = frame;
    if (!this.#scope) {
      const failure = refusal('threw', 'Error', 'the container was not claimed');
      this.#send(FrameType.ERROR, stream, failure);
      return;
    }
    const hasBody = (frame.flags & FLAG_END) === 0;
    const invocation = new Invocation(stream, decodeInvoke(frame.payload), hasBody, this.#scope);
    this.#invocations.set(stream, invocation);
    this.#arrived.push(invocation);
  }

  #codeComplete(): void {
    const source = Buffer.concat(this.#code.splice(0)).toString();
    const cache = this.#cache.splice(0);
    if (this.#compile) this.#makeCache(resolve(TASK_FOLDER, this.#compile.filename), source);
    else if (this.#claim) void this.#load(this.#claim, source, cache.length > 0 ? Buffer.concat(cache) : undefined);
    this.#compile = undefined;
  }

  #makeCache(filename: string, source: string): void {
    try {
      const cache = makeCodeCache({ filename, source });
      for (const frame of cutPayload(FrameType.CACHE, 0, cache)) this.#sink.send(frame);
    } catch (error) {
      this.#failLoad(failureOf(error));
    }
  }

  async #load(claim: ClaimPayload, source: string, cache: Uint8Array | undefined): Promise<void> {
    this.#owner.claimed(claim);
    try {
      const filename = resolve(TASK_FOLDER, claim.filename);
      const { namespace, cacheRejected } = await loadModule({ filename, source }, cache);
      const handler = findHandler(namespace, { ...claim.env });
      if (typeof handler === 'string') return this.#failLoad(refusal('threw', 'Error', handler));
      this.#handler = handler;
      this.#send(FrameType.LOADED, 0, { cacheRejected } satisfies LoadedPayload);
      // After LOADED has left: a handler that never gives the turn back would hold it up.
      nextTick(() => this.#runArrived());
    } catch (error) {
      this.#failLoad(failureOf(error));
    }
  }

  #send(type: FrameType, stream: number, payload: object): void {
    this.#sink.send({ type, stream, payload: JSON.stringify(payload) });
  }

  #failLoad(failure: FailurePayload): void {
    this.#send(FrameType.LOAD_FAILED, 0, failure);
    this.#owner.loadFailed();
  }
}

function parse(frame: Frame): unknown {
  const { buffer, byteOffset, byteLength } = frame.payload;
  return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString());
}
