/** What the JSON frames carry. Frames from a container are checked by `container-frames.ts` before use. */

/**
 * hob's name server as containers see it, IPv4 and IPv6: the same in all, as their root filesystem is one
 * (infra/rootfs/manifest.ts). Only those with a network reach it.
 */
export const NAME_SERVERS = ['169.254.53.53', 'fd68:6f62::53'] as const;

/** CLAIM: what the parked container is to become. */
export interface ClaimPayload {
  readonly function: string;
  readonly version: number;
  readonly memoryMb: number;
  /** File name of the code inside the container, for stack traces and `import.meta.url`. */
  readonly filename: string;
  /** The function's own environment; replaces `process.env` but for what the runtime sets (PATH, HOME, TMPDIR, …). */
  readonly env: Readonly<Record<string, string>>;
  /** Total bytes of the CODE frames that follow. */
  readonly codeBytes: number;
  /** Total bytes of the CACHE frames that come before CODE; 0 for none. */
  readonly cacheBytes: number;
}

/** COMPILE: make a code cache of the CODE that follows, running none of it. */
export interface CompilePayload {
  readonly filename: string;
  readonly codeBytes: number;
}

/** INVOKE: one call. See `invoke.ts` for how it is written. */
export interface InvokePayload {
  readonly id: string;
  readonly method: string;
  /** Absolute URL as the function sees it, without the `/fn/<name>` prefix. */
  readonly url: string;
  /** Flat list: name, value, name, value, … Names are lower case. */
  readonly headers: readonly string[];
  /** Wall clock, ms since the epoch, when the container is ended. */
  readonly deadlineMs: number;
  /** How many ms before the deadline `ctx.signal` is aborted. */
  readonly graceMs: number;
}

/** CANCEL: abort `ctx.signal` of a stream. */
export interface CancelPayload {
  readonly reason: 'disconnected' | 'cancelled' | 'timeout' | 'shutdown';
}

/** PARKED: the container is ready to be claimed. */
export interface ParkedPayload {
  readonly nodeVersion: string;
}

/** LOADED: the handler is ready. */
export interface LoadedPayload {
  /** A code cache was given and V8 refused it. */
  readonly cacheRejected: boolean;
}

/** LOAD_FAILED and ERROR. `stack` speaks of the bundled file; the host maps it to the sources. */
export interface FailurePayload {
  readonly kind: 'threw' | 'bad-response' | 'bad-event';
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** HEAD: the start of a response. */
export interface HeadPayload {
  readonly status: number;
  /** Flat list: name, value, name, value, … */
  readonly headers: readonly string[];
}

/** A longer line of output is cut and ends in `…`. */
export const LOG_LINE_BYTES_MAX = 16 * 1024;

/** LOG: one line of output. The stream of the frame is the invocation, 0 when there is none. */
export interface LogPayload {
  readonly channel: 'stdout' | 'stderr';
  readonly line: string;
}

/** EXIT: why the container ends itself. */
export interface ExitPayload {
  readonly reason: 'exit' | 'uncaught-exception' | 'unhandled-rejection';
  readonly exitCode: number;
  readonly error?: { readonly name: string; readonly message: string; readonly stack: string };
}
