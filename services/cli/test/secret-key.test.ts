import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSecretKey } from '../src/serve/secret-key.ts';
import { temporaryFolder } from './fakes/command-run.ts';

test('readSecretKey() makes the key once, in a file that only its owner can read', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await readSecretKey(folder, undefined);
  assert.equal(first.key.byteLength, 32);
  const { mode } = await stat(join(folder, 'secret.key'));
  assert.equal(mode & 0o777, 0o600);
  assert.deepEqual(await readSecretKey(folder, undefined), first);
});

test('readSecretKey() takes HOB_SECRET_KEY in both forms, and makes no file then', async (t) => {
  const folder = await temporaryFolder(t);
  const key = randomBytes(32);
  for (const form of ['hex', 'base64', 'base64url'] as const) {
    assert.deepEqual((await readSecretKey(folder, key.toString(form))).key, key);
  }
  await assert.rejects(readFile(join(folder, 'secret.key')), { code: 'ENOENT' });
});

test('readSecretKey() refuses what is no key, without repeating it', async (t) => {
  const folder = await temporaryFolder(t);
  for (const bad of [
    'sesame-sesame',
    randomBytes(31).toString('hex'),
    randomBytes(33).toString('base64'),
    '!'.repeat(44),
  ]) {
    await assert.rejects(readSecretKey(folder, bad), (error: { code?: string; message: string }) => {
      return error.code === 'ERR_CONFIG_INVALID' && !error.message.includes(bad);
    });
  }
  await writeFile(join(folder, 'secret.key'), 'damaged\n');
  await assert.rejects(readSecretKey(folder, undefined), { code: 'ERR_CONFIG_INVALID' });
  const other = await temporaryFolder(t);
  await symlink('/etc/hostname', join(other, 'secret.key'));
  await assert.rejects(readSecretKey(other, undefined), { code: 'ELOOP' });
});
