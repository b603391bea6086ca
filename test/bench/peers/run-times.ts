/** What the runner is asked for: to start a command, or to close the standard input of one that it started. */
export type RunRequest =
  | { readonly serial: number; readonly command: readonly string[]; readonly holdInput: boolean }
  | { readonly serial: number; readonly closeInput: true };

/** How long a program took. */
export interface RunTimes {
  readonly serial: number;
  /** From before the fork to its first byte on standard output, ms; absent when there was none. */
  readonly firstByteMs?: number;
  /** From before the fork until it was waited for and its pipes were closed, ms. */
  readonly exitMs: number;
  readonly exitCode: number | null;
  /** What it wrote on standard error. */
  readonly said: string;
}
