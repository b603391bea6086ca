import type { Attempt } from './attempt.ts';
import { javascriptAttempts } from './javascript-attempts.ts';
import { nativeAttempts } from './native-attempts.ts';
import { outsideAttempts } from './outside-attempts.ts';

/** The whole table. */
export const attempts: readonly Attempt[] = [...javascriptAttempts, ...nativeAttempts, ...outsideAttempts];
