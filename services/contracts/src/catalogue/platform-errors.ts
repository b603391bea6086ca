import type { ErrorSpec } from './error-spec.ts';

/** hob failed. */
export const platformErrors = {
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
  ERR_SERVE_STRICT: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'This host does not hold the isolation checklist',
    message: (lines: string) =>
      `missing for containers on this host, and HOB_STRICT is set:\n${lines}\n"hob doctor" says what follows`,
  },
  ERR_INTERNAL: {
    http: 500,
    kind: 'platform',
    retry: 'same-request',
    title: 'Internal error',
    message: () => 'hob failed; its log has the cause',
  },
  ERR_EVENT_INTERRUPTED: {
    http: 502,
    kind: 'platform',
    retry: 'never',
    title: 'hob ended in the middle of it',
    message: (why: string) => `hob ended too often while this event was being tried: ${why}`,
  },
  ERR_EVENT_BODY_LOST: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'The body is gone',
    message: () => "Redis does not have the event's body any more",
  },
  ERR_LAUNCHER_REFUSED: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'The launcher refused',
    message: (why: string) => `the launcher refused: ${why}`,
  },
  ERR_SERVE_HAND_OVER: {
    http: 500,
    kind: 'platform',
    retry: 'never',
    title: 'The data folder cannot be given to its user',
    message: (path: string, uid: number) => `${path} has a second name, so it is not given to user ${uid}`,
  },
} as const satisfies Record<`ERR_${string}`, ErrorSpec>;
