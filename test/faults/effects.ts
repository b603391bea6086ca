/** One time that a function was run. */
export interface Run {
  /** Of the invocation. */
  readonly id: string;
  /** By the wall clock. */
  readonly beganMs: number;
}

/** What is recorded of all runs that go by one name: it is made by the first of them, as behind a unique index of a database. */
export interface Effect {
  /** The number of the call. */
  readonly call: number;
  /** What each of the runs gets, and no other effect does. */
  readonly answer: string;
}

/** What functions have done in the outside world. */
export class Effects {
  /** By the number of the call. */
  readonly runs = new Map<number, Run[]>();
  /** By the name: the idempotency key of a call, or the id of an event. */
  readonly records = new Map<string, Effect>();
  /** How large a body each event had, bytes. */
  readonly bodies = new Map<string, number>();

  /**
   * @param url as the function `effect` asks for it.
   * @returns what it is answered with.
   */
  note(url: string): string {
    const told = Object.fromEntries(new URL(url, 'http://outside').searchParams);
    const { id = '', name = '', run = '' } = told;
    const call = Number(told['call']);
    this.runs.set(call, [...(this.runs.get(call) ?? []), { id, beganMs: Number(told['beganMs']) }]);
    if (told['attempt'] !== '') this.bodies.set(id, Number(told['bytes']));
    const effect = this.records.get(name) ?? { call, answer: run };
    this.records.set(name, effect);
    return effect.answer;
  }
}
