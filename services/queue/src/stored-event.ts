import type { AsyncEvent, AsyncPolicy, InvocationRecord } from '@hob/contracts';

/** A body up to this size is in the job itself, which every move of the job reads; a larger one has a key of its own. */
const INLINE_BYTES_MAX = 4096;

/** How an event is tried, and who is told of its end. */
export type EventPolicy = AsyncPolicy;

/** An event on its way into the queue. */
export interface NewEvent extends AsyncEvent {
  /** It is no call but a message to this URL. */
  readonly webhook?: string;
}

/** An event as its job holds it. */
export interface StoredEvent {
  /** Of a message, the function whose event has ended. */
  readonly function: string;
  readonly version?: number;
  readonly policy: EventPolicy;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  readonly webhook?: string;
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

/** Whether a body has a key of its own. */
export function isBeside(body: Uint8Array): boolean {
  return body.byteLength > INLINE_BYTES_MAX;
}

/** The part of an event that goes into its job. */
export function storedEvent(event: NewEvent): StoredEvent {
  const { version, policy, method, url, headers, body, webhook } = event;
  return {
    function: event.function,
    ...(version !== undefined && { version }),
    policy,
    method,
    url,
    headers,
    ...(webhook !== undefined && { webhook }),
    ...bodyPart(body),
  };
}

function bodyPart(body: Uint8Array | undefined): Pick<StoredEvent, 'body' | 'isBodyBeside'> {
  if (body === undefined) return {};
  return isBeside(body) ? { isBodyBeside: true } : { body: Buffer.from(body).toString('base64') };
}
