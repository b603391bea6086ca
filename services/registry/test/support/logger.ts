import { pino } from 'pino';

/** Says nothing. */
export const quiet = pino({ level: 'silent' });

/** Keeps what is logged. */
export function keepingLogger(): { readonly log: typeof quiet; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }), lines };
}
