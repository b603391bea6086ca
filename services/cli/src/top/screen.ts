import type { Output } from '../terminal.ts';

const ROWS_DEFAULT = 24;
const COLUMNS_DEFAULT = 80;

/** A terminal's second screen without a cursor, drawn as a whole each time. Disposing it brings the first one back. */
export class Screen implements Disposable {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
    output.write('\u001b[?1049h\u001b[?25l');
  }

  /** Shows a text, as far as it fits. */
  draw(text: string): void {
    const { rows, columns } = this.#output;
    // Some terminals say that they have none.
    const lines = text.split('\n').slice(0, rows || ROWS_DEFAULT);
    const drawn = lines.map((line) => `${line.slice(0, columns || COLUMNS_DEFAULT)}\u001b[K`).join('\r\n');
    // Over what is there: clearing it first would flicker.
    this.#output.write(`\u001b[H${drawn}\u001b[J`);
  }

  [Symbol.dispose](): void {
    this.#output.write('\u001b[?25h\u001b[?1049l');
  }
}
