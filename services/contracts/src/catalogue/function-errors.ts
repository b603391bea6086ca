import type { ErrorSpec } from './error-spec.ts';

/** The function failed. */
export const functionErrors = {
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
  ERR_FN_FORBIDDEN_SYSCALL: {
    http: 502,
    kind: 'function',
    retry: 'never',
    title: 'Forbidden system call',
    message: (call: string) => `the function was ended for a system call that it may not make: ${call}`,
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
} as const satisfies Record<`ERR_${string}`, ErrorSpec>;
