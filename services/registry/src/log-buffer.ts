import type { LogLine } from '@hob/contracts';

/** How many lines of one function, and how many characters of all, wait for Redis at most. */
export const BUFFER_LINES_MAX = 2_000;
export const BUFFER_CHARACTERS_MAX = 16 * 1024 * 1024;
/** What a line takes besides its text, in characters. */
const LINE_OVERHEAD = 200;

interface Queue {
  readonly lines: LogLine[];
  dropped: number;
  /** The last line that was dropped. */
  last: LogLine | undefined;
}

/** Lines that belong together: the oldest of one function, and what has become of others. */
export interface LogBatch {
  readonly function: string;
  /** With, at the end, a line of the platform's that tells how many lines were dropped here. */
  readonly lines: readonly LogLine[];
  /** How many of the lines are in the buffer. */
  readonly taken: number;
  readonly dropped: number;
}

/**
 * Lines on their way to Redis. Bounded for each function, so that one that writes a lot loses only its own lines, and
 * bounded for all together.
 */
export class LogBuffer {
  readonly #queues = new Map<string, Queue>();
  #characters = 0;

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  /** Takes a line, or counts it when there is no room. */
  push(line: LogLine): void {
    let queue = this.#queues.get(line.function);
    if (queue === undefined) this.#queues.set(line.function, (queue = { lines: [], dropped: 0, last: undefined }));
    const cost = costOf(line);
    // Once one was dropped, those after it are too until that was told: the lines that are kept have no gap unmarked.
    if (
      queue.dropped > 0 ||
      queue.lines.length >= BUFFER_LINES_MAX ||
      this.#characters + cost > BUFFER_CHARACTERS_MAX
    ) {
      queue.dropped += 1;
      queue.last = line;
      return;
    }
    queue.lines.push(line);
    this.#characters += cost;
  }

  /** What there is, one batch for each function. Nothing leaves the buffer before `done`. */
  batches(): LogBatch[] {
    return [...this.#queues].map(([name, { lines, dropped, last }]) => {
      const told = last === undefined ? [] : [droppedLine(last, dropped)];
      return { function: name, lines: [...lines, ...told], taken: lines.length, dropped };
    });
  }

  /** Forgets what a batch has. @param lost the batch did not arrive and never will: its lines count as dropped. */
  done(batch: LogBatch, lost: boolean): void {
    const queue = this.#queues.get(batch.function);
    if (queue === undefined) return;
    for (const line of queue.lines.splice(0, batch.taken)) this.#characters -= costOf(line);
    if (lost) queue.dropped += batch.taken;
    else queue.dropped -= batch.dropped;
    queue.last = queue.dropped === 0 ? undefined : (queue.last ?? batch.lines.at(-1));
    if (queue.dropped === 0 && queue.lines.length === 0) this.#queues.delete(batch.function);
  }
}

function costOf(line: LogLine): number {
  return line.line.length + LINE_OVERHEAD;
}

function droppedLine(last: LogLine, dropped: number): LogLine {
  const line = `${dropped} ${dropped === 1 ? 'line was' : 'lines were'} dropped: the log could not keep up`;
  return { ...last, invocationId: '', channel: 'platform', line };
}
