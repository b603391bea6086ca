import type { HobError } from './hob-error.ts';
import type { DeathCause, Receipt, StartKind } from './receipt.ts';
import type { PreloadOutcome } from './snapshot.ts';
import type { FunctionVersion } from './version.ts';

/** One call, without its body. */
export interface InvocationRequest {
  /** UUID, made by the gateway. */
  readonly id: string;
  readonly version: FunctionVersion;
  readonly method: string;
  /** Absolute URL as the function sees it, without the `/fn/<name>` prefix. */
  readonly url: string;
  /** Flat list: name, value, … Names are lower case; hop-by-hop headers are already removed. */
  readonly headers: readonly string[];
  /** False: no body follows, `write` and `end` are not called. */
  readonly hasBody: boolean;
}

/** What a call that reached a container has taken so far. */
export interface CallAccount {
  readonly start: StartKind;
  readonly queueMs: number;
  readonly createMs: number;
  readonly thawMs: number;
  readonly loadMs: number;
  /** From the call reaching the container until now. */
  readonly runMs: number;
  /** As in the receipt, until now. */
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  readonly containerAgeMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Set when the call ended its container. */
  readonly cause?: DeathCause;
}

/** The start of a function's response. */
export interface ResponseHead extends CallAccount {
  readonly status: number;
  /** Flat list: name, value, … */
  readonly headers: readonly string[];
  /** True: the response has no body; `end` follows. */
  readonly bodyless: boolean;
  /** Where its reader may note what it makes of the headers: this comes again with the next head that has the same ones. */
  readonly notes?: { clean?: unknown };
}

/**
 * What the invoker calls back, in this order: `head`, `chunk`s, then `end`; or `fail` at any point, after which nothing
 * comes. `drain` may come at any time before the end. Implementations must not throw.
 */
export interface InvocationSink {
  head(head: ResponseHead): void;
  /**
   * Takes bytes of the body. They are overwritten when it has returned: what is kept of them is copied.
   *
   * @returns false when the reader is full: call `InvocationHandle.resume` when it has room again.
   */
  chunk(bytes: Uint8Array): boolean;
  /** The response is complete. */
  end(): void;
  /**
   * The call failed; when `head` was already called, the response is cut short.
   *
   * @param account undefined when the call reached no container, and with ERR_SCHED_CLOSED also when that is not known.
   */
  fail(error: HobError, failure: FunctionFailure | undefined, account?: CallAccount): void;
  /** `write` may be called again after it returned false. */
  drain(): void;
  /** The function has sent all of its response, though not all of it has come: from now on only the reader can delay it. */
  finished?(): void;
}

/** Whether a call that failed may have reached its function. Without that it can be made again as if it had not been made. */
export function mayHaveRun(error: HobError, account: CallAccount | undefined): boolean {
  return account !== undefined || error.code === 'ERR_SCHED_CLOSED';
}

/** What a function threw, its stack mapped to the sources: for logs and for callers with a token. */
export interface FunctionFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** The caller's side of a running invocation. Every method is safe after the end and then does nothing. */
export interface InvocationHandle {
  /** @returns false when the container takes no more now: wait for `drain`. The bytes were taken all the same. */
  write(chunk: Uint8Array): boolean;
  /** The request body is complete. */
  end(): void;
  /** Aborts the call: the handler's signal is aborted, and after a grace its container is ended. */
  cancel(reason: 'disconnected' | 'cancelled'): void;
  /** The reader of the response has room again. */
  resume(): void;
}

/** Runs invocations. The gateway knows this and no scheduler. */
export interface Invoker {
  /** Starts a call. Never throws: each failure reaches `sink.fail`, possibly before this returns. */
  invoke(request: InvocationRequest, sink: InvocationSink): InvocationHandle;
  /** Cancels a running call by its id. @returns false when no such call is running. */
  cancel(invocationId: string): boolean;
}

/** Told of what happens, for metrics and logs. Implementations must not throw and must return at once. */
export interface Observer {
  /** After the end of each invocation, also of one that got no container. */
  invocationEnded(receipt: Receipt): void;
  /** A line of output, or a failure's stack, in the order of arrival. */
  log(line: LogLine): void;
  /** A container is parked or was forked for a claim. */
  containerCreated(event: { readonly runtime: string; readonly memoryMb: number; readonly createMs: number }): void;
  containerDied(event: {
    /** '' for a container that was parked. */
    readonly function: string;
    readonly cause: string;
    readonly cpuSeconds: number;
  }): void;
  /** A function tried to reach what it may not; `reason` is one of few. */
  egressDenied(event: { readonly function: string; readonly reason: string; readonly count: number }): void;
  /** A function asked for names; `outcome` is one of few. */
  dnsQueries(event: { readonly function: string; readonly outcome: string; readonly count: number }): void;
  /** It is known what a container was good for that was loaded before a call. */
  preloaded(event: { readonly function: string; readonly outcome: PreloadOutcome }): void;
  zygoteRestarted(event: { readonly runtime: string; readonly memoryMb: number }): void;
}

/**
 * Where a line of a function's log comes from: the function's own output, hob's word about it, or what it tried to reach
 * over the network and may not.
 */
export const logChannels = ['stdout', 'stderr', 'platform', 'denied'] as const;
export type LogChannel = (typeof logChannels)[number];

/** One line of a function's output. */
export interface LogLine {
  /** Wall clock, ms since the epoch. */
  readonly timeMs: number;
  readonly function: string;
  readonly version: number;
  /** '' when the line belongs to no single invocation. */
  readonly invocationId: string;
  readonly channel: LogChannel;
  /** Without its line end, control characters kept; at most LOG_LINE_BYTES_MAX bytes. */
  readonly line: string;
}
