import type { DeadLetters } from './dead-letters.ts';
import type { AsyncPolicy } from './function-config.ts';
import type { ErrorCode } from './errors.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import type { QueueBoard } from './queue-board.ts';
import type { Schedules } from './schedules.ts';
import type { Receipt } from './receipt.ts';

/**
 * What has become of an asynchronous invocation: it waits for its first attempt; one runs; one succeeded; the last one failed
 * and another one will come; it was cancelled; or it was given up and is a dead letter.
 */
export const invocationStatuses = ['waiting', 'running', 'succeeded', 'failed', 'cancelled', 'dead'] as const;
export type InvocationStatus = (typeof invocationStatuses)[number];

/** A call that is to be made later. */
export interface AsyncEvent {
  /** UUID, made by the gateway: the invocation's id in every attempt. */
  readonly id: string;
  readonly function: string;
  /** Undefined: the version that is live when an attempt begins. */
  readonly version: number | undefined;
  /** It stays with the event, whatever is deployed later. */
  readonly policy: AsyncPolicy;
  readonly method: string;
  /** Absolute URL as the function sees it. */
  readonly url: string;
  /** Flat list: name, value, … as in InvocationRequest. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
}

/** What a function answered, as it is kept. */
export interface KeptAnswer {
  readonly status: number;
  /** Flat list: name, value, … */
  readonly headers: readonly string[];
  /** The body, or its beginning. */
  readonly body: string;
  readonly encoding: 'utf8' | 'base64';
  /** Of the whole body. */
  readonly bodyBytes: number;
  /** The body was larger than what is kept of it. */
  readonly isCut: boolean;
}

/** What is known of an asynchronous invocation. Times are ISO 8601. */
export interface InvocationRecord {
  readonly id: string;
  readonly function: string;
  /** The version that the caller named. */
  readonly version?: number;
  readonly status: InvocationStatus;
  /** How many attempts have begun, those not counted for which there was no container. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly createdAt: string;
  /** When the next attempt may begin, after one that failed. */
  readonly nextAttemptAt?: string;
  readonly endedAt?: string;
  /** Of the last attempt that the function answered. */
  readonly result?: KeptAnswer;
  /** Why the last attempt failed. */
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  /** Of the last attempt. */
  readonly receipt?: Receipt;
}

/** How many events there are. */
export interface QueueCounts {
  /** They wait for their first attempt, or for their turn. */
  readonly waiting: number;
  readonly running: number;
  /** They wait for the end of a pause, after a failed attempt. */
  readonly failed: number;
  readonly dead: number;
  /** Of the oldest one that waits for its turn, ms; 0 when none does. */
  readonly oldestAgeMs: number;
  readonly schedules: ScheduleCounts;
}

/** How many schedules there are. */
export interface ScheduleCounts {
  /** Their times make calls. */
  readonly active: number;
  readonly paused: number;
}

/** How an attempt ended: the event is over, comes back, is a dead letter, or comes back and the attempt does not count. */
export const attemptOutcomes = ['succeeded', 'failed', 'dead', 'cancelled', 'put-back'] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

/** What a call met whose idempotency key was taken: the first one's answer, the first one still running, or another request. */
export const keyHits = ['replayed', 'busy', 'different'] as const;
export type KeyHit = (typeof keyHits)[number];

/** Is told what the queue does. */
export interface QueueObserver {
  /** An attempt of an event has ended. */
  attempted(outcome: AttemptOutcome): void;
  /** A schedule has made an event, so long after its time. */
  scheduled(lagMs: number): void;
  /** A call came with a key that was taken. */
  keyHit(hit: KeyHit): void;
  /** Redis answered one short command after this time. */
  redisAnswered(ms: number): void;
}

/** What the gateway asks of the queue. */
export interface AsyncInvocations {
  /** The largest body of an event, bytes. */
  readonly bodyBytesMax: number;
  readonly deadLetters: DeadLetters;
  readonly keys: IdempotencyKeys;
  readonly schedules: Schedules;
  readonly board: QueueBoard;
  /**
   * Accepts an event. When this returns, Redis has it and has answered that it does.
   *
   * @throws ERR_QUEUE_UNAVAILABLE when Redis does not answer; ERR_QUEUE_FULL when there is no room for more.
   */
  submit(event: AsyncEvent): Promise<void>;
  /** @returns undefined while Redis does not answer. Never rejects. */
  counts(): Promise<QueueCounts | undefined>;
  /** @returns undefined when there is no such invocation, or no longer. @throws ERR_QUEUE_UNAVAILABLE */
  read(id: string): Promise<InvocationRecord | undefined>;
  /**
   * Cancels a waiting or running invocation: no further attempt begins, and a running one is ended.
   *
   * @returns false when there is no such invocation, or it has ended. @throws ERR_QUEUE_UNAVAILABLE
   */
  cancel(id: string): Promise<boolean>;
}
