/**
 * The catalogue of every error that hob gives to a caller, an operator or a user of the `hob` command.
 *
 * A code is permanent: its message may change, its code does not, and a retired code is never used again.
 * Callers match `error.code`.
 */

import { callerErrors } from './catalogue/caller-errors.ts';
import { capacityErrors } from './catalogue/capacity-errors.ts';
import { functionErrors } from './catalogue/function-errors.ts';
import { platformErrors } from './catalogue/platform-errors.ts';

export type { ErrorKind, ErrorSpec } from './catalogue/error-spec.ts';

/** Every code, by whose move it is. */
export const catalogue = { ...callerErrors, ...capacityErrors, ...functionErrors, ...platformErrors } as const;

export type ErrorCode = keyof typeof catalogue;

/** What the message of a code is made from. */
export type ErrorDetail<C extends ErrorCode> = Parameters<(typeof catalogue)[C]['message']>;
