import { fail } from './hob-error.ts';

const full: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
const failed: ReadonlySet<unknown> = new Set(['EROFS', 'EIO']);

/**
 * What a failure of the file system is called in the catalogue: ERR_STORAGE_FULL or ERR_STORAGE_FAILED, with it as the cause.
 *
 * @param what was to be written, as the message names it.
 * @returns the error itself when it says nothing of a disk that cannot be written to.
 */
export function storageError(error: unknown, what: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (full.has(code)) return fail('ERR_STORAGE_FULL', [what], { cause: error });
  if (failed.has(code)) return fail('ERR_STORAGE_FAILED', [what, String(code)], { cause: error });
  return error;
}
