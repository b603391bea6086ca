import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFunction } from './function-folder.ts';
import type { HobServer } from './hob-server.ts';
import { problem } from './http-call.ts';

/** The resources that a function can abuse: paths of test/functions/abuse. */
export const abuses = ['cpu', 'memory', 'processes', 'descriptors', 'disk', 'log', 'connections'] as const;
export type Abuse = (typeof abuses)[number];

/** These run into a limit of their own, sooner or later; the others only into that of time. */
const endedByLimit: ReadonlySet<Abuse> = new Set(['memory', 'processes']);

/** How each call of a function ended, as `502 ERR_…`, and how often. */
export type Outcomes = Map<string, number>;

const nameOf = (abuse: Abuse): string => `abuse-${abuse}`;

/** Deploys a function for each abuse: it does nothing until it is called. */
export async function deployAbusers(hob: HobServer, folder: string, which: readonly Abuse[] = abuses): Promise<void> {
  const source = await readFile(join(import.meta.dirname, '../functions/abuse/index.ts'), 'utf8');
  const folders = which.map((abuse) => {
    const timeoutMs = endedByLimit.has(abuse) ? 120_000 : 5000;
    const config = { memoryMb: 128, timeoutMs, maxContainers: 1, name: nameOf(abuse) };
    return writeFunction(join(folder, nameOf(abuse)), config, source);
  });
  await hob.deploy(...(await Promise.all(folders)));
}

/** Functions that abuse one resource each: whenever a call has ended, the next one begins. */
export class Abusers implements AsyncDisposable {
  readonly outcomes = new Map<Abuse, Outcomes>();
  readonly #hob: HobServer;
  readonly #gone = new AbortController();
  readonly #loops: Promise<void>[];

  /** Starts at once. @param which of the abuses that are deployed. */
  constructor(hob: HobServer, which: readonly Abuse[] = abuses) {
    this.#hob = hob;
    this.#loops = which.map((abuse) => this.#loop(abuse));
  }

  /** Every abuse has been ended by hob this often. */
  haveEnded(times: number): boolean {
    const totals = [...this.outcomes.values()].map((ends) => [...ends.values()].reduce((sum, count) => sum + count, 0));
    return totals.length === this.#loops.length && totals.every((total) => total >= times);
  }

  /** Disconnects all, and waits for the ends of their loops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone.abort();
    await Promise.all(this.#loops);
  }

  async #loop(abuse: Abuse): Promise<void> {
    const outcomes: Outcomes = new Map();
    this.outcomes.set(abuse, outcomes);
    const { signal } = this.#gone;
    while (!signal.aborted) {
      const outcome = await this.#hob.fn(`${nameOf(abuse)}/${abuse}`, { signal }).then(problem, String);
      if (!signal.aborted) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
}
