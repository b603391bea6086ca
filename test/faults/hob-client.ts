import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { HobServer } from '../support/hob-server.ts';
import type { Answer } from '../support/http-call.ts';
import type { Effects } from './effects.ts';
import type { Outcomes } from './outcomes.ts';

/** One call that is to be made. */
export interface PlannedCall {
  readonly number: number;
  /** It fails whenever it is tried. */
  readonly isNever: boolean;
  /** It is run at most once, whatever becomes of it. */
  readonly isOnce: boolean;
  readonly key: string | undefined;
  /** It is answered when it was made. It has a key. */
  readonly isSync: boolean;
  readonly bodyBytes: number;
  /** It is sent once more after it was answered. */
  readonly isRepeated: boolean;
}

const NEVER_SHARE = 0.02;
const ONCE_SHARE = 0.4;
const KEYED_SHARE = 0.5;
/** Of those with a key. */
const SYNC_SHARE = 0.4;
const REPEATED_SHARE = 0.2;
/** Above what the queue keeps in the event itself. */
const LARGE_BYTES = 6000;
const LARGE_SHARE = 0.1;
const CLIENTS = 6;
/** Above so many accepted events that have not run a client makes a pause, so that faults come in the middle of their work. */
const BACKLOG_MAX = 100;
const BACKLOG_PAUSE_MS = 150;
const PAUSE_MS = 10;
/** Answers to a call that was not made: another one with its key is being made, too many, hob or Redis is away. */
const REFUSED = new Set([409, 429, 503]);

/** Calls, the same for the same random numbers. */
export function planCalls(random: () => number, count: number): PlannedCall[] {
  return Array.from({ length: count }, (_, number) => {
    const key = random() < KEYED_SHARE ? `call-${number}` : undefined;
    return {
      number,
      key,
      isNever: random() < NEVER_SHARE,
      isOnce: random() < ONCE_SHARE,
      isSync: key !== undefined && random() < SYNC_SHARE,
      bodyBytes: random() < LARGE_SHARE ? LARGE_BYTES : 20,
      isRepeated: random() < REPEATED_SHARE,
    };
  });
}

/** Clients that send calls of the functions `effect` and `effect-once`, each again until it is accepted, or answered. */
export class HobClient {
  /** Calls by the id of the event that was accepted for them. */
  readonly accepted = new Map<string, PlannedCall>();
  /** How often a call was not accepted, by what was answered. */
  readonly refusals = new Map<string, number>();
  readonly #hob: HobServer;
  readonly #effects: Effects;
  readonly #outcomes: Outcomes;

  constructor(hob: HobServer, effects: Effects, outcomes: Outcomes) {
    this.#hob = hob;
    this.#effects = effects;
    this.#outcomes = outcomes;
  }

  /** Resolved when all are accepted, or answered. */
  async make(calls: readonly PlannedCall[]): Promise<void> {
    const left = [...calls];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (this.accepted.size - this.#effects.bodies.size > BACKLOG_MAX) await delay(BACKLOG_PAUSE_MS);
        const isAnswered = await this.#send(next);
        // Its key may be held for half a minute, by a hob that was killed: others go first.
        if (!isAnswered) left.push(next);
        else if (next.isRepeated && next.key !== undefined) await this.#send(next);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, work));
  }

  /** @returns whether it was accepted, or answered. */
  async #send(call: PlannedCall): Promise<boolean> {
    const { number, isNever, isOnce, key, isSync, bodyBytes } = call;
    const headers = {
      ...(!isSync && { 'hob-invocation-type': 'async' }),
      ...(key !== undefined && { 'idempotency-key': key }),
    };
    const path = `${isOnce ? 'effect-once' : 'effect'}/${isNever ? 'never' : 'well'}?call=${number}`;
    const answer = await this.#hob.fn(path, { headers, body: 'x'.repeat(bodyBytes) }).catch(() => undefined);
    if (answer === undefined || REFUSED.has(answer.status)) {
      this.#refused(answer);
      await delay(PAUSE_MS);
      return false;
    }
    const { status, body } = answer;
    if (key !== undefined) this.#outcomes.note(key, outcomeText(status, body.toString()));
    if (!isSync) {
      assert.equal(status, 202, body.toString());
      this.accepted.set((JSON.parse(body.toString()) as { id: string }).id, call);
    }
    return true;
  }

  #refused(answer: Answer | undefined): void {
    const { code = 'no code' } =
      answer === undefined ? { code: 'no answer' } : (JSON.parse(answer.body.toString() || '{}') as { code?: string });
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }
}

/** An answer under a key, as it must be each time. */
export function outcomeText(status: number, body: string): string {
  return `${status} ${body}`;
}
