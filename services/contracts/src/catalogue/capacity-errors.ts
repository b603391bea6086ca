import type { ErrorSpec } from './error-spec.ts';

/** There is no room now. */
export const capacityErrors = {
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
  ERR_QUEUE_UNAVAILABLE: {
    http: 503,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'The queue is unavailable',
    message: (why: string) => `Redis does not answer: ${why}`,
  },
  ERR_QUEUE_FULL: {
    http: 503,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'The queue is full',
    message: (bytesMax: number) => `Redis already holds ${bytesMax} bytes; no event is accepted until there are fewer`,
  },
  ERR_STORAGE_FULL: {
    http: 507,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'The disk is full',
    message: (what: string) => `no space is left on the disk for ${what}`,
  },
  ERR_LAUNCHER_LOST: {
    http: 503,
    kind: 'capacity',
    retry: 'after-backoff',
    title: 'There is no launcher',
    message: (why: string) => why,
  },
} as const satisfies Record<`ERR_${string}`, ErrorSpec>;
