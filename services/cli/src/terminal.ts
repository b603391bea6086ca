import { once } from 'node:events';
import { Transform, type Writable } from 'node:stream';
import { styleText, stripVTControlCharacters } from 'node:util';
import { type Environment, variable } from './environment.ts';

/** A stream of the process that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** How hob writes: results to stdout, everything else to stderr, colours only where a terminal shows them. */
export class Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly #plain: boolean;
  readonly #dumb: boolean;

  constructor(streams: { readonly stdout: Output; readonly stderr: Output }, env: Environment) {
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.#dumb = variable(env, 'TERM') === 'dumb';
    this.#plain = variable(env, 'NO_COLOR') !== undefined || this.#dumb;
  }

  /** Whether results go to a terminal that can be drawn on. */
  get isScreen(): boolean {
    return this.stdout.isTTY === true && !this.#dumb;
  }

  /** Whether a stream gets colours. */
  colors(stream: Output): boolean {
    return stream.isTTY === true && !this.#plain;
  }

  /** Text in a style, when the stream gets colours. */
  style(stream: Output, format: Parameters<typeof styleText>[0], text: string): string {
    return this.colors(stream) ? styleText(format, text, { validateStream: false }) : text;
  }

  /** Writes a result. Resolved when the reader keeps up. */
  async result(text: string): Promise<void> {
    if (!this.stdout.write(`${text}\n`)) await once(this.stdout, 'drain');
  }

  /** Writes a result as JSON: indented for a terminal, one line otherwise. */
  async json(value: unknown): Promise<void> {
    await this.result(JSON.stringify(value, undefined, this.stdout.isTTY ? 2 : undefined));
  }

  /** Writes a line for the user that is no result. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** Text that a function wrote, fit for a stream: a terminal gets no control characters of it. */
  foreign(stream: Output, text: string): string {
    return stream.isTTY ? withoutControls(stripVTControlCharacters(text)) : text;
  }

  /**
   * Runs a step, and says on stderr that it goes on when it takes over a second.
   *
   * @param label what is done, such as `bundling hello`.
   */
  async progress<T>(label: string, step: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const live = this.stderr.isTTY === true;
    const timer = setInterval(() => {
      const seconds = Math.round((performance.now() - startMs) / 1000);
      if (live) this.stderr.write(`\r${label}… ${seconds} s\u001b[K`);
      else if (seconds === 1 || seconds % 30 === 0) this.stderr.write(`${label}…\n`);
    }, 1000);
    try {
      return await step();
    } finally {
      clearInterval(timer);
      if (live && performance.now() - startMs >= 1000) this.stderr.write('\r\u001b[K');
    }
  }
}

// C0 but tab and newline, DEL, C1, and the marks that turn the direction of text.
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text without the characters that steer a terminal; tabs and newlines stay. */
export function withoutControls(text: string): string {
  return text.replace(controls, '');
}

/** Bytes to text without control characters, for a terminal. Bytes that are not UTF-8 become U+FFFD. */
export function controlFilter(): Transform {
  const decoder = new TextDecoder();
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      done(null, withoutControls(decoder.decode(chunk, { stream: true })));
    },
    flush(done) {
      done(null, withoutControls(decoder.decode()));
    },
  });
}

/** Lays out rows under a head, in columns two spaces apart; numbers of the last column are not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const units = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Bytes in words of people: `12.3 MB`, in steps of 1024. */
export function humanBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
