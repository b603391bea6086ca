/** Containers under AppArmor: in a guest kernel, because the machine that the tests run on may not have it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { HostDriver } from '@hob/scheduler';
import { labelOf, openShellDriver, runScript, strayFile, unlessInGuest } from '../../support/confined-driver.ts';

const skip = unlessInGuest('apparmor');
const CONFINED = 'hob-container (enforce)';

let driver: HostDriver;
before(async () => {
  if (skip === false) driver = await openShellDriver();
});
const small = { runtime: 'nodejs24.x', memoryMb: 128, network: 'none' } as const;

after(() => driver?.close());

test('AppArmor: hob loads its profile, and nothing is lacking', { skip }, () => {
  assert.deepEqual(driver.lacks, []);
  assert.ok(readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8').split('\n').includes(CONFINED));
});

test('AppArmor: a forked container is confined by the profile, and its zygote is not', { skip }, async () => {
  const container = await driver.create(small);
  assert.equal(labelOf(container.pid, 'apparmor/current'), CONFINED);
  assert.equal(labelOf(driver.zygotes()[0]?.pid, 'apparmor/current'), 'unconfined');
  container.kill();
  await container.exited;
});

test('AppArmor: a program is confined, its children too, and cannot take the profile off', { skip }, async () => {
  const current = '/proc/self/attr/apparmor/current';
  const script = `cat ${current}; read own <${current}; echo "$own"; { echo changeprofile unconfined >${current}; } 2>&1; echo $?`;
  const [childs, own, refused, code] = await runScript(driver, script);
  assert.deepEqual([childs, own, code], [CONFINED, CONFINED, '2']);
  assert.match(refused ?? '', /Permission denied/);
});

test('AppArmor: a program has what the profile names', { skip }, async () => {
  const script = `
    echo mine >/tmp/file && mkdir /tmp/folder && mv /tmp/file /tmp/folder/ && cat /tmp/folder/file
    mkfifo /tmp/fifo && ln -s fifo /tmp/link && echo $(ls /tmp)
    head -c 3 /dev/zero | wc -c; echo out >/dev/stdout; echo >/dev/null && echo written
    grep -c localhost /etc/hosts; echo shared >/dev/shm/x && cat /dev/shm/x`;
  const expected = ['mine', 'fifo folder link', '3', 'out', 'written', '2', 'shared'];
  assert.deepEqual(await runScript(driver, script), expected);
});

test('AppArmor: a file of the root filesystem that the profile does not name cannot be read', { skip }, async () => {
  using stray = strayFile();
  assert.match(readFileSync(stray.path, 'utf8'), /stray/);
  assert.deepEqual(await runScript(driver, 'cat /stray'), ['cat: /stray: Permission denied']);
});
