import type { InvocationRecord, KeptAnswer } from './async-invocations.ts';

/** An event that was given up, with what it would call. */
export interface DeadLetter extends InvocationRecord {
  readonly request: Pick<KeptAnswer, 'body' | 'encoding' | 'bodyBytes' | 'headers'> & {
    readonly method: string;
    readonly url: string;
  };
}

/** Some of the dead letters, newest first. */
export interface DeadLetterList {
  /** Of all functions. */
  readonly total: number;
  readonly letters: readonly InvocationRecord[];
}

/** Which dead letters: those with one of the ids, else those of one function, else all. */
export interface DeadLetterChoice {
  readonly ids?: readonly string[] | undefined;
  readonly function?: string | undefined;
}

/** The events that were given up. Every method throws ERR_QUEUE_UNAVAILABLE when Redis does not answer. */
export interface DeadLetters {
  /** The newest ones, of one function or of all. */
  list(functionName: string | undefined, limit: number): Promise<DeadLetterList>;
  /** @returns undefined when there is no such dead letter. */
  read(id: string): Promise<DeadLetter | undefined>;
  /** Has them tried again, with all their attempts and their whole age. @returns how many. */
  redrive(choice: DeadLetterChoice): Promise<number>;
  /** Removes them for good. @returns how many. */
  purge(choice: DeadLetterChoice): Promise<number>;
}
