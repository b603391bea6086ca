import type { CsvTable } from './csv-table.ts';
import { FunctionIndex, functionKey, type Trace, type TraceCall, type TraceFunction } from './trace.ts';

const MINUTE_MS = 60_000;
/** Consecutive multiples of it fill the unit interval evenly, however many there are. */
const GOLDEN_RATIO = 0.618_033_988_749_895;

/**
 * The form of 2019: a row for each function, with the number of its calls in each minute.
 *
 * When in a minute they came is not in the data. They are spread evenly, and each function begins at a time of its own, or
 * all that are called once a minute would be called at the same moment.
 */
export class MinuteTrace implements Trace {
  readonly functions: readonly TraceFunction[];
  readonly size: number;
  readonly #durationsMs: readonly number[];
  /** For each minute, function and number of calls in turns. */
  readonly #minutes: readonly (readonly number[])[];

  private constructor(functions: readonly TraceFunction[], durationsMs: readonly number[], minutes: number[][]) {
    this.functions = functions;
    this.#durationsMs = durationsMs;
    this.#minutes = minutes;
    this.size = minutes.flat().reduce((sum, value, at) => (at % 2 === 1 ? sum + value : sum), 0);
  }

  /**
   * @param durationsMs of the calls of functions, by `functionKey`.
   * @param defaultMs of all others.
   * @throws ERR_CLI_BAD_TRACE
   */
  static async read(
    table: CsvTable,
    durationsMs: ReadonlyMap<string, number>,
    defaultMs: number,
  ): Promise<MinuteTrace> {
    const index = new FunctionIndex();
    const [app, name, first] = [table.column('HashApp'), table.column('HashFunction'), table.column('1')];
    const minutes = table.columns.slice(first).map((): number[] => []);
    while (await table.next()) {
      const target = index.of(table.text(app), table.text(name));
      for (const [minute, calls] of minutes.entries()) {
        const count = table.number(first + minute);
        if (!Number.isSafeInteger(count)) throw table.bad(`minute ${minute + 1} has ${count} calls`);
        if (count > 0) calls.push(target, count);
      }
    }
    const durations = index.functions.map((each) => durationsMs.get(functionKey(each.app, each.name)) ?? defaultMs);
    return new MinuteTrace(index.functions, durations, minutes);
  }

  *calls(): Generator<TraceCall> {
    for (const [minute, counts] of this.#minutes.entries()) yield* this.#callsOf(minute * MINUTE_MS, counts);
  }

  #callsOf(minuteMs: number, counts: readonly number[]): TraceCall[] {
    const calls: TraceCall[] = [];
    for (let at = 0; at < counts.length; at += 2) {
      const [target = 0, count = 0] = [counts[at], counts[at + 1]];
      const phase = (target * GOLDEN_RATIO) % 1;
      const durationMs = this.#durationsMs[target] ?? 0;
      for (let call = 0; call < count; call += 1) {
        calls.push({ atMs: minuteMs + ((call + phase) / count) * MINUTE_MS, durationMs, target });
      }
    }
    return calls.sort((a, b) => a.atMs - b.atMs);
  }
}
