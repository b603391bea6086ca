import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const NAME = 'hob-test-nothing';

test('AppArmor is in force in this guest: a profile without rules stops a program that asks for it', () => {
  assert.match(readFileSync('/sys/kernel/security/lsm', 'utf8'), /\bapparmor\b/);
  // Rules are left out on purpose, but for those that the program needs to start at all.
  const profile = `profile ${NAME} { /usr/bin/cat mr, /bin/cat mr, /{usr/,}lib/** mr, /etc/ld.so.cache r, }`;
  execFileSync('apparmor_parser', ['--skip-cache', '--replace'], { input: profile });
  try {
    const run = (profile: string): number | null =>
      spawnSync('sh', [
        '-c',
        `echo "exec ${profile}" >/proc/self/attr/apparmor/exec && exec cat /etc/hostname /etc/passwd`,
      ]).status;
    assert.equal(run('unconfined'), 0);
    // It cannot even say so: what it would write to is closed to it.
    assert.equal(run(NAME), 1);
  } finally {
    execFileSync('apparmor_parser', ['--remove'], { input: profile });
  }
});
