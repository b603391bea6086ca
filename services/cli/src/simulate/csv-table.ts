import { createReadStream } from 'node:fs';
import { fail, type HobError } from '@hob/contracts';
import { CsvError, type Info, parse } from 'csv-parse';

/** A row takes at most this much: 1,440 columns of large numbers are far less. */
const ROW_BYTES_MAX = 1024 * 1024;

/** A CSV file with names of columns in its first line, read row by row. */
export class CsvTable {
  readonly file: string;
  readonly columns: readonly string[];
  readonly #rows: AsyncIterator<Row>;
  #line = 1;
  #cells: readonly string[] = [];

  private constructor(file: string, columns: readonly string[], rows: AsyncIterator<Row>) {
    this.file = file;
    this.columns = columns;
    this.#rows = rows;
  }

  /** @throws ERR_CLI_BAD_TRACE for a file without a first line, or one that cannot be read. */
  static async open(file: string): Promise<CsvTable> {
    const rows = rowsOf(file);
    const head = await rows.next();
    if (head.done) throw fail('ERR_CLI_BAD_TRACE', [file, 1, 'it is empty']);
    return new CsvTable(file, head.value.record, rows);
  }

  /** Which column has this name. @throws ERR_CLI_BAD_TRACE when none has. */
  column(name: string): number {
    const at = this.columns.indexOf(name);
    if (at < 0) throw fail('ERR_CLI_BAD_TRACE', [this.file, 1, `it has no column "${name}"`]);
    return at;
  }

  /** Goes to the next row. @returns false after the last one. @throws ERR_CLI_BAD_TRACE */
  async next(): Promise<boolean> {
    const row = await this.#rows.next();
    if (row.done) return false;
    this.#line = row.value.info.lines;
    this.#cells = row.value.record;
    const { length } = this.columns;
    if (this.#cells.length !== length) throw this.bad(`it has ${this.#cells.length} columns, the first line ${length}`);
    return true;
  }

  text(column: number): string {
    return this.#cells[column] ?? '';
  }

  /** A cell of this row that holds a number from 0 on. @throws ERR_CLI_BAD_TRACE */
  number(column: number): number {
    const text = this.text(column);
    const value = text.trim() === '' ? NaN : Number(text);
    if (value >= 0 && value < Infinity) return value;
    throw this.bad(`${this.columns[column]} is ${JSON.stringify(text.slice(0, 40))}, not a number from 0 on`);
  }

  /** An error of this row. */
  bad(why: string): HobError {
    return fail('ERR_CLI_BAD_TRACE', [this.file, this.#line, why]);
  }
}

interface Row {
  readonly record: string[];
  readonly info: Pick<Info, 'lines'>;
}

async function* rowsOf(file: string): AsyncGenerator<Row, undefined> {
  const source = createReadStream(file);
  const parser = parse({
    bom: true,
    info: true,
    // Told by the caller, who knows how many there are to be.
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: ROW_BYTES_MAX,
  });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const row of parser) yield row as Row;
  } catch (cause) {
    const isBad = cause instanceof CsvError;
    if (!isBad && !isSystemError(cause)) throw cause;
    const { lines } = isBad ? (cause as CsvError & { readonly lines: number }) : { lines: 1 };
    throw fail('ERR_CLI_BAD_TRACE', [file, lines, cause.message], { cause });
  } finally {
    source.destroy();
  }
  return undefined;
}

function isSystemError(cause: unknown): cause is NodeJS.ErrnoException {
  return cause instanceof Error && 'syscall' in cause;
}
