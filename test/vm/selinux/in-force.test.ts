import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path: string): string => readFileSync(path, 'latin1').replaceAll('\0', '').trim();

test('SELinux is enforcing in this guest: a label that the policy does not know is refused', () => {
  assert.match(read('/sys/kernel/security/lsm'), /\bselinux\b/);
  assert.equal(read('/sys/fs/selinux/enforce'), '1');
  assert.equal(read('/proc/self/attr/current'), 'system_u:system_r:kernel_t:s0');
  const as = (context: string): number | null =>
    spawnSync('sh', ['-c', `printf ${context} >/proc/self/attr/current`]).status;
  assert.equal(as('system_u:system_r:kernel_t:s0:c1,c2'), 0);
  assert.notEqual(as('system_u:system_r:no_such_t:s0'), 0);
});

test('SELinux is enforcing in this guest: root with a label that has no rights can read nothing', () => {
  const script = (label: string): string =>
    `printf system_u:system_r:${label}:s0 >/proc/self/attr/current && read line </etc/passwd && echo "$line"`;
  const free = spawnSync('sh', ['-c', script('kernel_t')]);
  assert.match(String(free.stdout), /^root:/);
  const confined = spawnSync('sh', ['-c', script('confined_t')]);
  // It cannot even say so: what it would write to is not its own.
  assert.equal(String(confined.stdout), '');
  assert.notEqual(confined.status, 0);
});
