import { catalogue, type ErrorCode, type ErrorDetail, type ErrorSpec } from './errors.ts';

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
