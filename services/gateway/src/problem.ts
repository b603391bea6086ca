import type { IncomingMessage } from 'node:http';
import type { ErrorCode, ErrorSpec, FunctionFailure, HobError } from '@hob/contracts';
import type { CallResponse } from './simple/call-response.ts';

/** Media type of a problem document. */
export const PROBLEM_TYPE = 'application/problem+json';
/** What `retry-after` says, seconds: containers become free, and Redis comes back, within about this time. */
const RETRY_AFTER_S = '1';
/** A refused body up to this size is read to its end, so that the connection can serve the next request. */
const DISCARD_BYTES_MAX = 64 * 1024;

/** An error as an RFC 9457 problem document. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retry: ErrorSpec['retry'];
  /** The invocation's id, when there was one. */
  readonly instance?: string;
  /** What the function threw: only for callers with a token. */
  readonly failure?: FunctionFailure;
}

/** What a problem says beside its error. */
export interface ProblemContext {
  readonly instance?: string | undefined;
  readonly failure?: FunctionFailure | undefined;
  /** The caller has no token: the details of our own failures are kept from them. */
  readonly stranger?: boolean;
}

/** Makes the document of an error. Its stack and cause are never in it. */
export function problemOf(error: HobError, context: ProblemContext = {}): Problem {
  const { http, kind, retry, title } = error.spec;
  const { instance, failure, stranger } = context;
  return {
    type: `urn:hob:error:${error.code}`,
    title,
    status: http,
    detail: stranger === true && kind === 'platform' ? 'hob failed; its log has the cause' : error.message,
    code: error.code,
    retry,
    ...(instance === undefined ? {} : { instance }),
    ...(failure === undefined ? {} : { failure: { ...failure } }),
  };
}

/** The headers that belong to a problem, as a flat list. */
export function problemHeaders(problem: Problem): string[] {
  const headers = ['content-type', PROBLEM_TYPE, 'cache-control', 'no-store'];
  if (problem.status === 429 || problem.status === 503) headers.push('retry-after', RETRY_AFTER_S);
  if (problem.status === 401) headers.push('www-authenticate', 'Bearer realm="hob"');
  return headers;
}

/** Whether the rest of the body is small enough to be read and forgotten. */
function restIsSmall(request: IncomingMessage): boolean {
  if (request.complete) return true;
  // Refused before it was sent: whether the client sends it all the same cannot be known, so nothing may follow it.
  if (request.headers.expect !== undefined) return false;
  if (request.headers['transfer-encoding'] !== undefined) return false;
  return Number(request.headers['content-length'] ?? 0) <= DISCARD_BYTES_MAX;
}

/** How a problem is sent. */
export interface SendOptions {
  /** Further headers, as a flat list. */
  readonly headers?: readonly string[];
  /** How long the rest of a large request body is read before the connection is closed. */
  readonly lingerMs: number;
  /** Close the connection in any case. */
  readonly close?: boolean;
}

/**
 * Answers with a problem. The response's head must not have been sent.
 *
 * When a large body is still on its way, the connection is closed afterwards, but only once the client had time to read
 * the answer: closing with unread bytes would reset the connection and take the answer with it.
 *
 * @param request undefined when nothing of it is on its way any more.
 */
export function sendProblem(
  request: IncomingMessage | undefined,
  response: CallResponse,
  problem: Problem,
  options: SendOptions,
): void {
  const body = Buffer.from(JSON.stringify(problem));
  const headers = problemHeaders(problem);
  headers.push('content-length', String(body.byteLength), ...(options.headers ?? []));
  const isSmall = request === undefined || restIsSmall(request);
  if (!isSmall || options.close === true) headers.push('connection', 'close');
  response.writeHead(problem.status, headers);
  request?.resume();
  if (isSmall) {
    response.end(body, 'latin1');
    return;
  }
  response.write(body, 'latin1');
  const end = (): void => {
    clearTimeout(timer);
    response.end('', 'latin1');
  };
  const timer = setTimeout(end, options.lingerMs);
  request.once('end', end);
  request.once('close', () => clearTimeout(timer));
}
