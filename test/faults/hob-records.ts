import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { InvocationRecord } from '@hob/contracts';
import type { HobServer } from '../support/hob-server.ts';
import { type Answer, call } from '../support/http-call.ts';
import type { Outcomes } from './outcomes.ts';

const PAUSE_MS = 20;

/** What hob tells of the events that it has accepted. Whatever was told of an end is told each time. */
export class HobRecords {
  readonly #hob: HobServer;
  readonly #outcomes: Outcomes;

  constructor(hob: HobServer, outcomes: Outcomes) {
    this.#hob = hob;
    this.#outcomes = outcomes;
  }

  /** @returns undefined while nobody can be asked. @throws AssertionError when it is not there, or has another end than before. */
  async read(id: string): Promise<InvocationRecord | undefined> {
    const answer = await this.get(`invocations/${id}`);
    if (answer === undefined || answer.status === 503) return undefined;
    const text = answer.body.toString();
    assert.equal(answer.status, 200, `${id}: ${text}`);
    const record = JSON.parse(text) as InvocationRecord;
    if (record.endedAt !== undefined) this.#outcomes.note(id, text);
    return record;
  }

  /** Asks for one after the other, from the first again, until it is told to end. */
  async watch(ids: ReadonlyMap<string, unknown>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const id of ids.keys()) {
        if (signal.aborted) return;
        await this.read(id);
        await delay(PAUSE_MS);
      }
      await delay(PAUSE_MS);
    }
  }

  /** Asks the control API. @returns undefined while it does not answer. */
  async get(path: string): Promise<Answer | undefined> {
    const headers = { authorization: `Bearer ${this.#hob.token}` };
    return call(`${this.#hob.url}/v1/${path}`, { headers }).catch(() => undefined);
  }
}
