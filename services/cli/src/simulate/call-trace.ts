import type { CsvTable } from './csv-table.ts';
import { NumberColumn } from './number-column.ts';
import { FunctionIndex, type Trace, type TraceCall, type TraceFunction } from './trace.ts';

/** The form of 2021: a row for each call, with the times of its end and how long it took, in seconds. */
export class CallTrace implements Trace {
  readonly functions: readonly TraceFunction[];
  readonly #targets: Float64Array;
  readonly #startsMs: Float64Array;
  readonly #durationsMs: Float64Array;
  /** Calls in the order of their starts. */
  readonly #order: Uint32Array;

  private constructor(functions: readonly TraceFunction[], targets: Float64Array, times: CallColumns) {
    this.functions = functions;
    this.#targets = targets;
    this.#startsMs = times.startsMs;
    this.#durationsMs = times.durationsMs;
    const order = Uint32Array.from(targets, (_, call) => call);
    this.#order = order.sort((a, b) => (times.startsMs[a] ?? 0) - (times.startsMs[b] ?? 0));
  }

  /** @throws ERR_CLI_BAD_TRACE */
  static async read(table: CsvTable): Promise<CallTrace> {
    const index = new FunctionIndex();
    const targets = new NumberColumn();
    const startsMs = new NumberColumn();
    const durationsMs = new NumberColumn();
    const [app, name] = [table.column('app'), table.column('func')];
    const [end, duration] = [table.column('end_timestamp'), table.column('duration')];
    while (await table.next()) {
      const seconds = table.number(duration);
      targets.push(index.of(table.text(app), table.text(name)));
      startsMs.push((table.number(end) - seconds) * 1000);
      durationsMs.push(seconds * 1000);
    }
    const times = { startsMs: startsMs.values, durationsMs: durationsMs.values };
    return new CallTrace(index.functions, targets.values, times);
  }

  get size(): number {
    return this.#order.length;
  }

  *calls(): Generator<TraceCall> {
    for (const call of this.#order) {
      const atMs = this.#startsMs[call] ?? 0;
      yield { atMs, durationMs: this.#durationsMs[call] ?? 0, target: this.#targets[call] ?? 0 };
    }
  }
}

interface CallColumns {
  readonly startsMs: Float64Array;
  readonly durationsMs: Float64Array;
}
