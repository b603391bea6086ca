import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { HobServer } from '../support/hob-server.ts';
import type { Answer } from '../support/http-call.ts';
import type { Effects } from './effects.ts';

/** One call that is to be made. */
export interface PlannedCall {
  readonly number: number;
  /** It fails whenever it is tried. */
  readonly isNever: boolean;
  readonly key: string | undefined;
  readonly bodyBytes: number;
  /** It is sent once more after it was accepted. */
  readonly isRepeated: boolean;
}

const NEVER_SHARE = 0.02;
const KEYED_SHARE = 0.5;
const REPEATED_SHARE = 0.2;
/** Above what the queue keeps in the event itself. */
const LARGE_BYTES = 6000;
const LARGE_SHARE = 0.1;
const CLIENTS = 6;
/** Above so many accepted events that have not run a client makes a pause, so that faults come in the middle of their work. */
const BACKLOG_MAX = 100;
const BACKLOG_PAUSE_MS = 150;
const PAUSE_MS = 10;

/** Calls, the same for the same random numbers. */
export function planCalls(random: () => number, count: number): PlannedCall[] {
  return Array.from({ length: count }, (_, number) => ({
    number,
    isNever: random() < NEVER_SHARE,
    key: random() < KEYED_SHARE ? `call-${number}` : undefined,
    bodyBytes: random() < LARGE_SHARE ? LARGE_BYTES : 20,
    isRepeated: random() < REPEATED_SHARE,
  }));
}

/** Clients that have calls of the function `effect` accepted, each again until it is. */
export class HobClient {
  /** Calls by the id of the event that was accepted for them. */
  readonly accepted = new Map<string, PlannedCall>();
  /** How often a call was not accepted, by what was answered. */
  readonly refusals = new Map<string, number>();
  readonly #hob: HobServer;
  readonly #effects: Effects;

  constructor(hob: HobServer, effects: Effects) {
    this.#hob = hob;
    this.#effects = effects;
  }

  /** Resolved when all are accepted. */
  async make(calls: readonly PlannedCall[]): Promise<void> {
    const left = [...calls];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (this.accepted.size - this.#effects.bodies.size > BACKLOG_MAX) await delay(BACKLOG_PAUSE_MS);
        const id = await this.#send(next);
        // Its key may be held for half a minute, by a hob that was killed: others go first.
        if (id === undefined) left.push(next);
        else await this.#told(next, id);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, work));
  }

  async #told(call: PlannedCall, id: string): Promise<void> {
    this.accepted.set(id, call);
    if (!call.isRepeated || call.key === undefined) return;
    const again = await this.#send(call);
    if (again !== undefined) assert.equal(again, id, `call ${call.number} was accepted under its key before`);
  }

  /** @returns the event's id when it was accepted. */
  async #send({ number, isNever, key, bodyBytes }: PlannedCall): Promise<string | undefined> {
    const headers = { 'hob-invocation-type': 'async', ...(key !== undefined && { 'idempotency-key': key }) };
    const path = `effect/${isNever ? 'never' : 'once'}?call=${number}`;
    const answer = await this.#hob.fn(path, { headers, body: 'x'.repeat(bodyBytes) }).catch(() => undefined);
    if (answer?.status === 202) return (JSON.parse(answer.body.toString()) as { id: string }).id;
    this.#refused(answer);
    await delay(PAUSE_MS);
    return undefined;
  }

  #refused(answer: Answer | undefined): void {
    const { code = 'no code' } =
      answer === undefined ? { code: 'no answer' } : (JSON.parse(answer.body.toString() || '{}') as { code?: string });
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }
}
