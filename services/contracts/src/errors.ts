/**
 * The catalogue of every error that hob gives to a caller, an operator or a user of the `hob` command.
 *
 * A code is permanent: its message may change, its code does not, and a retired code is never used again.
 * Callers match `error.code`.
 */

/** Whose move it is: the caller sent something wrong, there is no room now, the function failed, or hob did. */
export type ErrorKind = 'caller' | 'capacity' | 'function' | 'platform';

/** One row of the catalogue. */
export interface ErrorSpec {
  /** HTTP status that the gateway answers with. */
  readonly http: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 414 | 415 | 429 | 431 | 499 | 500 | 502 | 503 | 504;
  readonly kind: ErrorKind;
  /** What the caller should do next. */
  readonly retry: 'never' | 'same-request' | 'after-backoff';
  /** Short, fixed summary: the `title` of the problem document. */
  readonly title: string;
  readonly message: (...detail: never[]) => string;
}

export const catalogue = {
  // The caller's mistakes.
  ERR_AUTH_REQUIRED: {
    http: 401,
    kind: 'caller',
    retry: 'never',
    title: 'Authentication required',
    message: () => 'send "authorization: Bearer <token>" with a valid token',
  },
  ERR_API_BAD_REQUEST: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'Bad request',
    message: (why: string) => why,
  },
  ERR_API_NOT_FOUND: {
    http: 404,
    kind: 'caller',
    retry: 'never',
    title: 'No such resource',
    message: (method: string, path: string) => `nothing answers ${method} ${path}`,
  },
  ERR_HTTP_BODY_TOO_LARGE: {
    http: 413,
    kind: 'caller',
    retry: 'never',
    title: 'Request body too large',
    message: (bytesMax: number) => `the request body is larger than ${bytesMax} bytes`,
  },
  ERR_HTTP_HEADERS_TOO_LARGE: {
    http: 431,
    kind: 'caller',
    retry: 'never',
    title: 'Request headers too large',
    message: (bytesMax: number) => `the request headers are larger than ${bytesMax} bytes`,
  },
  ERR_HTTP_URL_TOO_LONG: {
    http: 414,
    kind: 'caller',
    retry: 'never',
    title: 'URL too long',
    message: (bytesMax: number) => `the URL is longer than ${bytesMax} bytes`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    http: 408,
    kind: 'caller',
    retry: 'same-request',
    title: 'The request took too long to arrive',
    message: () => 'the request was not complete in time',
  },
  ERR_FN_NOT_FOUND: {
    http: 404,
    kind: 'caller',
    retry: 'never',
    title: 'Unknown function',
    message: (name: string) => `no function is called "${name}"`,
  },
  ERR_FN_VERSION_NOT_FOUND: {
    http: 404,
    kind: 'caller',
    retry: 'never',
    title: 'Unknown version',
    message: (name: string, version: string) => `function "${name}" has no version ${version}`,
  },
  ERR_INVOCATION_NOT_FOUND: {
    http: 404,
    kind: 'caller',
    retry: 'never',
    title: 'Unknown invocation',
    message: (id: string) => `no invocation ${id} is running`,
  },
  ERR_FN_BAD_EVENT: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'Body is not JSON',
    message: (why: string) => `this function takes a JSON body: ${why}`,
  },
  ERR_CONFIG_NOT_FOUND: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'hob.json is missing',
    message: (folder: string) => `there is no hob.json in ${folder}; "hob init" makes one`,
  },
  ERR_CONFIG_SYNTAX: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'hob.json cannot be read',
    message: (file: string, line: number, column: number, why: string) => `${file}:${line}:${column}: ${why}`,
  },
  ERR_CONFIG_INVALID: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'A setting is not accepted',
    message: (place: string, problem: string) => `${place}: ${problem}`,
  },
  ERR_BUILD_ENTRY_NOT_FOUND: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'The entry file is missing',
    message: (entry: string) => `entry "${entry}" does not exist or is outside the function's folder`,
  },
  ERR_BUILD_FAILED: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'The function could not be bundled',
    message: (report: string) => report,
  },
  ERR_BUNDLE_TOO_LARGE: {
    http: 413,
    kind: 'caller',
    retry: 'never',
    title: 'The bundle is too large',
    message: (bytesMax: number) => `the bundle is larger than ${bytesMax} bytes`,
  },
  ERR_BUNDLE_INVALID: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'The bundle is not accepted',
    message: (why: string) => why,
  },
  ERR_CLI_USAGE: {
    http: 400,
    kind: 'caller',
    retry: 'never',
    title: 'Wrong usage',
    message: (why: string) => why,
  },
  ERR_CLI_UNREACHABLE: {
    http: 503,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'hob does not answer',
    message: (url: string, why: string) => `no answer from ${url} (${why}); is "hob serve" running there?`,
  },
  ERR_CLI_BAD_ANSWER: {
    http: 502,
    kind: 'platform',
    retry: 'never',
    title: 'The answer cannot be used',
    message: (url: string, why: string) => `the answer of ${url} cannot be used: ${why}`,
  },
  ERR_CLI_STATUS: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The function answered with an error status',
    message: (name: string, status: number) => `${name} answered with status ${status}`,
  },
  ERR_CANCELLED: {
    http: 499,
    kind: 'caller',
    retry: 'same-request',
    title: 'Cancelled',
    message: (by: string) => `the invocation was cancelled by ${by}`,
  },

  // No room now.
  ERR_SCHED_QUEUE_FULL: {
    http: 429,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'Too many waiting requests',
    message: (waitingMax: number) => `${waitingMax} requests already wait for a container`,
  },
  ERR_SCHED_QUEUE_TIMEOUT: {
    http: 429,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'No container became free in time',
    message: (waitedMs: number) => `waited ${waitedMs} ms for a free container`,
  },
  ERR_SCHED_CLOSED: {
    http: 503,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'Shutting down',
    message: () => 'hob is shutting down',
  },
  ERR_HTTP_TOO_MANY_REQUESTS: {
    http: 429,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'Too many concurrent requests',
    message: (requestsMax: number) => `${requestsMax} requests are already being served`,
  },
  ERR_REGISTRY_UNAVAILABLE: {
    http: 503,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'The registry is unavailable',
    message: (why: string) => `Redis does not answer: ${why}`,
  },

  // The function failed.
  ERR_FN_THREW: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The function threw',
    message: (name: string, message: string) => `${name}: ${message}`,
  },
  ERR_FN_LOAD_FAILED: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The function could not be loaded',
    message: (name: string, message: string) => `${name}: ${message}`,
  },
  ERR_FN_BAD_RESPONSE: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The function returned no response',
    message: (why: string) => why,
  },
  ERR_FN_EXITED: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The function ended its process',
    message: (why: string) => why,
  },
  ERR_FN_CRASHED: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The container crashed',
    message: (why: string) => why,
  },
  ERR_FN_OUT_OF_MEMORY: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'Out of memory',
    message: (memoryMb: number) => `the function used more than its ${memoryMb} MB`,
  },
  ERR_FN_TOO_MANY_PROCESSES: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'Too many processes',
    message: (pidsMax: number) => `the function started more than ${pidsMax} processes and threads`,
  },
  ERR_FN_CPU_BUDGET: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'CPU time used up',
    message: (cpuMs: number) => `the function used its ${cpuMs} ms of CPU time before it had answered`,
  },
  ERR_FN_RESPONSE_TOO_LARGE: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'Response too large',
    message: (bytesMax: number) => `the function's response is larger than ${bytesMax} bytes`,
  },
  ERR_FN_FORBIDDEN_SYSCALL: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'Forbidden system call',
    message: () => 'the function was ended for a system call that no function may make',
  },
  ERR_FN_TIMEOUT: {
    http: 504,
    kind: 'function',
    retry: 'never',
    title: 'The function took too long',
    message: (timeoutMs: number) => `no complete answer within ${timeoutMs} ms`,
  },
  ERR_FN_PROTOCOL: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'The container broke the protocol',
    message: (why: string) => why,
  },

  // hob failed.
  ERR_FRAME_TOO_LARGE: {
    http: 502,
    kind: 'platform',
    retry: 'never',
    title: 'Frame too large',
    message: (bytes: number, bytesMax: number) => `a frame of ${bytes} bytes, at most ${bytesMax} are allowed`,
  },
  ERR_FRAME_UNKNOWN_TYPE: {
    http: 502,
    kind: 'platform',
    retry: 'never',
    title: 'Unknown frame type',
    message: (type: number) => `frame type ${type} does not exist`,
  },
  ERR_FRAME_BAD_PAYLOAD: {
    http: 502,
    kind: 'platform',
    retry: 'never',
    title: 'Bad frame payload',
    message: (type: string, why: string) => `${type}: ${why}`,
  },
  ERR_SCHED_START_FAILED: {
    http: 502,
    kind: 'platform',
    retry: 'same-request',
    title: 'No container could be started',
    message: (why: string) => why,
  },
  ERR_NATIVE_SYSCALL: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'A system call failed',
    message: (step: string, errno: string) => `${step}: ${errno}`,
  },
  ERR_NATIVE_UNSUPPORTED: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'This host lacks something hob needs',
    message: (what: string, remedy: string) => `${what}; ${remedy}`,
  },
  ERR_SERVE_LOCKED: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'The data folder is in use',
    message: (folder: string, pid: number) => `process ${pid} already serves from ${folder}`,
  },
  ERR_INTERNAL: {
    http: 500,
    kind: 'platform',
    retry: 'same-request',
    title: 'Internal error',
    message: () => 'hob failed; its log has the cause',
  },
} as const satisfies Record<`ERR_${string}`, ErrorSpec>;

export type ErrorCode = keyof typeof catalogue;

/** What the message of a code is made from. */
export type ErrorDetail<C extends ErrorCode> = Parameters<(typeof catalogue)[C]['message']>;
