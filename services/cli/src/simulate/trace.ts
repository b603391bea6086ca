/** One call of a trace. */
export interface TraceCall {
  /** Since the trace began, ms. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Index in the functions of the trace. */
  readonly target: number;
}

/** A function of a trace. */
export interface TraceFunction {
  readonly app: string;
  readonly name: string;
}

/** What was called when. */
export interface Trace {
  readonly functions: readonly TraceFunction[];
  /** How many calls there are. */
  readonly size: number;
  /** Every call, in the order of their times; anew each time. */
  calls(): Iterable<TraceCall>;
}

/** Gives each function of a trace its index, in the order in which they are named first. */
export class FunctionIndex {
  readonly functions: TraceFunction[] = [];
  readonly #indexes = new Map<string, number>();

  of(app: string, name: string): number {
    const key = functionKey(app, name);
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.functions.length);
    return this.functions.push({ app, name }) - 1;
  }
}

/** What a function is found by in the files of one data set. */
export function functionKey(app: string, name: string): string {
  return `${app}/${name}`;
}
