/**
 * The catalogue of every error that hob gives to a caller, an operator or a user of the `hob` command.
 *
 * A code is permanent: its message may change, its code does not, and a retired code is never used again.
 * Callers match `error.code`.
 */

import { callerErrors } from './catalogue/caller-errors.ts';
import { capacityErrors } from './catalogue/capacity-errors.ts';
import type { ErrorSpec } from './catalogue/error-spec.ts';
import { functionErrors } from './catalogue/function-errors.ts';
import { platformErrors } from './catalogue/platform-errors.ts';

export type { ErrorKind, ErrorSpec } from './catalogue/error-spec.ts';

/** Every code, by whose move it is. */
export const catalogue = { ...callerErrors, ...capacityErrors, ...functionErrors, ...platformErrors } as const;

export type ErrorCode = keyof typeof catalogue;

/** What the message of a code is made from. */
export type ErrorDetail<C extends ErrorCode> = Parameters<(typeof catalogue)[C]['message']>;

/** An error with a catalogued code. Match `code`; never the message, never `instanceof` across packages. */
export class HobError extends Error {
  override readonly name = 'HobError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get spec(): ErrorSpec {
    return catalogue[this.code];
  }
}

/**
 * Makes an error of the catalogue: `throw fail('ERR_FN_NOT_FOUND', [name])`.
 *
 * @param detail what the code's message is made from; its types are checked.
 * @param options.cause the error underneath, kept for the log and never shown to callers.
 */
export function fail<C extends ErrorCode>(code: C, detail: ErrorDetail<C>, options?: ErrorOptions): HobError {
  const message = catalogue[code].message as (...args: ErrorDetail<C>) => string;
  return new HobError(code, message(...detail), options);
}

/** Whether a value is an error of the catalogue, also one made by another copy of this package. */
export function isHobError(value: unknown): value is HobError {
  return (
    value instanceof Error && 'code' in value && typeof value.code === 'string' && Object.hasOwn(catalogue, value.code)
  );
}

/** The error itself when it is catalogued, else ERR_INTERNAL with it as the cause. */
export function asHobError(value: unknown): HobError {
  return isHobError(value) ? value : fail('ERR_INTERNAL', [], { cause: value });
}
