import assert from 'node:assert/strict';

/** What clients were told of the ends of calls, each time that they asked. */
export class Outcomes {
  readonly #told = new Map<string, { readonly outcome: string; readonly times: number }>();

  /**
   * @param what was asked for: a key, or an event.
   * @throws AssertionError when something else was told of it before.
   */
  note(what: string, outcome: string): void {
    const { outcome: before = outcome, times = 0 } = this.#told.get(what) ?? {};
    assert.equal(outcome, before, `what is told of ${what}, the first time and the time ${times + 1}`);
    this.#told.set(what, { outcome, times: times + 1 });
  }

  /** What was told, undefined when nothing was. */
  of(what: string): string | undefined {
    return this.#told.get(what)?.outcome;
  }

  /** How often something was told. */
  get count(): number {
    return [...this.#told.values()].reduce((sum, { times }) => sum + times, 0);
  }
}
