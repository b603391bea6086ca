/** How long a program took. */
export interface RunTimes {
  /** From before the fork to its first byte on standard output, ms; absent when there was none. */
  readonly firstByteMs: number | undefined;
  /** From before the fork until it was waited for and its pipes were closed, ms. */
  readonly exitMs: number;
  readonly exitCode: number | null;
  /** What it wrote on standard error. */
  readonly said: string;
}
