/** Containers under SELinux: in a guest kernel, because the machine that the tests run on may not have it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { HostDriver } from '@hob/scheduler';
import { labelOf, openShellDriver, runScript, strayFile, unlessInGuest } from '../../support/confined-driver.ts';

const skip = unlessInGuest('selinux');
const CONTEXT = /^system_u:system_r:hob_container_t:s0:(c\d+,c\d+)$/;

let driver: HostDriver;
before(async () => {
  if (skip === false) driver = await openShellDriver();
});
const small = { runtime: 'nodejs24.x', memoryMb: 128, network: 'none' } as const;

after(() => driver?.close());

test('SELinux: the policy has hob in it, and nothing is lacking', { skip }, () => {
  assert.deepEqual(driver.lacks, []);
  assert.equal(readFileSync('/sys/fs/selinux/enforce', 'utf8'), '1');
});

test('SELinux: forked containers and their mounts have a pair of categories of their own', { skip }, async () => {
  const containers = [await driver.create(small), await driver.create(small)];
  const pairs = containers.map(({ pid }) => {
    const pair = CONTEXT.exec(labelOf(pid, 'current'))?.[1];
    assert.ok(pair, labelOf(pid, 'current'));
    const labelled = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
      .split('\n')
      .filter((line) => line.includes(`hob_scratch_t:s0:${pair}`));
    assert.deepEqual(
      labelled.map((line) => line.split(' ')[4]),
      ['/dev', '/dev/shm', '/tmp'],
    );
    return pair;
  });
  assert.notEqual(pairs[0], pairs[1]);
  assert.equal(labelOf(driver.zygotes()[0]?.pid, 'current'), 'system_u:system_r:kernel_t:s0');
  for (const container of containers) {
    container.kill();
    await container.exited;
  }
});

test(
  'SELinux: a program has the context of a container, its children too, and cannot change it',
  { skip },
  async () => {
    const current = '/proc/self/attr/current';
    const [own = '', childs = '', refused, code] = await runScript(
      driver,
      `read own <${current}; echo "$own"; cat ${current}; echo; { echo system_u:system_r:kernel_t:s0 >${current}; } 2>&1; echo $?`,
    );
    assert.match(own, CONTEXT);
    assert.equal(childs.replaceAll('\0', ''), own);
    assert.match(`${refused}${code}`, /Permission denied/);
  },
);

test('SELinux: a program has what the policy names', { skip }, async () => {
  const script = `
    echo mine >/tmp/file && mkdir /tmp/folder && mv /tmp/file /tmp/folder/ && cat /tmp/folder/file
    mkfifo /tmp/fifo && ln -s fifo /tmp/link && echo $(ls /tmp)
    head -c 3 /dev/zero | wc -c; echo out >/dev/stdout; echo >/dev/null && echo written
    grep -c localhost /etc/hosts; echo shared >/dev/shm/x && cat /dev/shm/x`;
  const expected = ['mine', 'fifo folder link', '3', 'out', 'written', '2', 'shared'];
  assert.deepEqual(await runScript(driver, script), expected);
});

test('SELinux: a file with another label cannot be read, although its mode allows it', { skip }, async () => {
  using stray = strayFile();
  execFileSync('chcon', ['--type', 'usr_t', stray.path]);
  assert.deepEqual(await runScript(driver, 'cat /stray'), ['cat: /stray: Permission denied']);
  execFileSync('chcon', ['--type', 'hob_root_t', stray.path]);
  assert.deepEqual(await runScript(driver, 'cat /stray'), ['stray']);
});
