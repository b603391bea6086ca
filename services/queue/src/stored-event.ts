import type { AsyncEvent, AsyncPolicy, InvocationRecord } from '@hob/contracts';

/** A body up to this size is in the job itself, which every move of the job reads; a larger one has a key of its own. */
const INLINE_BYTES_MAX = 4096;

/** An event as its job holds it. */
export interface StoredEvent {
  readonly function: string;
  readonly version?: number;
  readonly policy: AsyncPolicy;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  /** Base64. Without it there is no body, or it is beside the queue. */
  readonly body?: string;
  /** The body has a key of its own. */
  readonly isBodyBeside?: true;
  /** When it was last redriven, ms since the epoch: its age counts from then. */
  readonly redrivenMs?: number;
}

/** How an attempt ended: what the job returns, and what a failed attempt leaves as its progress. */
export interface Attempt extends Pick<InvocationRecord, 'result' | 'error' | 'receipt'> {
  readonly isCancelled?: true;
  /** When the next one may begin, ms since the epoch. */
  readonly nextAttemptMs?: number;
}

/** The part of an event that goes into its job. */
export function storedEvent(event: AsyncEvent): StoredEvent {
  const { version, policy, method, url, headers, body } = event;
  const isInline = body !== undefined && body.byteLength <= INLINE_BYTES_MAX;
  return {
    function: event.function,
    ...(version === undefined ? {} : { version }),
    policy,
    method,
    url,
    headers,
    ...(isInline ? { body: Buffer.from(body).toString('base64') } : {}),
    ...(body === undefined || isInline ? {} : { isBodyBeside: true }),
  };
}
