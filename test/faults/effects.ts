/** One time that a function was run. */
export interface Run {
  /** Of the invocation. */
  readonly id: string;
  /** What the function answered, and no other run does. */
  readonly answer: string;
  /** By the wall clock. */
  readonly beganMs: number;
}

/** What functions have done in the outside world. */
export class Effects {
  /** By the number of the call. */
  readonly runs = new Map<number, Run[]>();
  /** How large a body each event had, bytes. */
  readonly bodies = new Map<string, number>();

  /** @param url as the function `effect` asks for it. */
  note(url: string): void {
    const { id = '', run = '', ...told } = Object.fromEntries(new URL(url, 'http://outside').searchParams);
    const call = Number(told['call']);
    const runs = this.runs.get(call) ?? [];
    this.runs.set(call, [...runs, { id, answer: run, beganMs: Number(told['beganMs']) }]);
    if (told['attempt'] !== '') this.bodies.set(id, Number(told['bytes']));
  }
}
