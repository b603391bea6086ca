import { type DestinationStream, type Logger, pino } from 'pino';
import { type Terminal, withoutControls } from '../terminal.ts';

/** The server's logger: to stderr, as JSON, or as plain lines when a person reads them. */
export function createServerLog(terminal: Terminal, level: string): Logger {
  const options = {
    level,
    base: null,
    redact: ['token', '*.token', 'headers.authorization', '*.headers.authorization'],
  };
  const destination: DestinationStream = terminal.stderr.isTTY
    ? { write: (json) => void terminal.stderr.write(`${readableLog(json, terminal)}\n`) }
    : { write: (json) => void terminal.stderr.write(json) };
  return pino(options, destination);
}

const styles = { 10: 'dim', 20: 'dim', 30: 'green', 40: 'yellow', 50: 'red', 60: 'red' } as const;

interface LogEntry {
  readonly level: keyof typeof styles;
  readonly time: number;
  readonly msg?: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
  readonly [key: string]: unknown;
}

/** One line of pino's JSON as text: time, level, message, the rest as `key=value`. */
export function readableLog(json: string, terminal: Terminal): string {
  const { level, time, msg = '', err, ...rest } = JSON.parse(json) as LogEntry;
  const { stderr } = terminal;
  const name = (pino.levels.labels[level] ?? String(level)).padEnd(5);
  const details = Object.entries(rest).map(([key, value]) => {
    return `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  const clock = terminal.style(stderr, 'dim', new Date(time).toISOString().slice(11, 23));
  const head = [clock, terminal.style(stderr, styles[level] ?? 'green', name)].join(' ');
  const text = [msg, ...details, ...(err === undefined ? [] : [err.stack ?? err.message ?? ''])].join(' ');
  return `${head} ${withoutControls(text)}`;
}
