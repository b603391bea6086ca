import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, isHobError, storageError } from '../src/index.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it failed`), { code });
}

test('storageError says which failures of the file system mean that a disk is full or cannot be written to', () => {
  for (const [code, expected] of [
    ['ENOSPC', 'ERR_STORAGE_FULL'],
    ['EDQUOT', 'ERR_STORAGE_FULL'],
    ['EROFS', 'ERR_STORAGE_FAILED'],
    ['EIO', 'ERR_STORAGE_FAILED'],
  ] as const) {
    const cause = systemError(code);
    const error = storageError(cause, 'the bundle');
    assert.ok(isHobError(error));
    assert.deepEqual([error.code, error.cause], [expected, cause]);
    assert.match(error.message, /the bundle/);
  }
});

test('storageError leaves every other error as it is', () => {
  for (const error of [systemError('ENOENT'), fail('ERR_BUNDLE_INVALID', ['no']), new Error('ENOSPC'), 'text']) {
    assert.equal(storageError(error, 'the bundle'), error);
  }
});
