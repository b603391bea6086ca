import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { seccompProfilePath } from '@hob/native';
import { ociSeccomp } from './oci-seccomp.ts';

test('ociSeccomp() understands every line of the profile that containers get', () => {
  const profile = readFileSync(seccompProfilePath, 'utf8');
  const rules = profile.split('\n').filter((line) => /^(?:allow|errno) /.test(line));
  const { syscalls } = ociSeccomp(profile) as { syscalls: readonly object[] };
  assert.equal(syscalls.length, rules.length);
  assert.ok(rules.length > 50);
});

test('ociSeccomp() keeps names, arguments and errors', () => {
  const profile = [
    'default errno ENOSYS    # unknown',
    'foreign kill            # other architectures',
    'allow read, write       # plain',
    'allow socket when 0 == 2 and 1 & 0xf == 1    # stream',
    'allow mknod when 1 & 0170000 == 0010000      # pipes',
    'errno EPERM mount       # no',
  ].join('\n');
  assert.deepEqual((ociSeccomp(profile) as { syscalls: unknown }).syscalls, [
    { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
    {
      names: ['socket'],
      action: 'SCMP_ACT_ALLOW',
      args: [
        { index: 0, value: 2, op: 'SCMP_CMP_EQ' },
        { index: 1, value: 15, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' },
      ],
    },
    {
      names: ['mknod'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 1, value: 0o170000, valueTwo: 0o010000, op: 'SCMP_CMP_MASKED_EQ' }],
    },
    { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: constants.errno.EPERM },
  ]);
});

test('ociSeccomp() refuses a line that it does not understand', () => {
  assert.throws(() => ociSeccomp('allow\n'), /line 1 is not understood/);
  assert.throws(() => ociSeccomp('permit read'), /line 1 is not understood/);
  assert.throws(() => ociSeccomp('allow read when 0 < 3'), /line 1 is not understood/);
});
