import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { detectCgroups } from '../../src/driver/cgroup-host.ts';

const host = detectCgroups();
const unified = host.version === 1 ? host.unified : undefined;
const skip = unified === undefined && 'this host has no v1 controllers, or no v2 tree beside them';
const TESTS_MIN = 15;

/** A mount namespace in which the v2 tree is not mounted is what a host without one looks like. */
test('limits, freezing and ends are the same where cgroup v1 is alone', { skip }, () => {
  const files = ['limits', 'freeze'];
  const paths = files.map((name) => join(import.meta.dirname, `${name}.test.ts`));
  const withoutV2 = 'umount --lazy "$0" && ! grep -q " - cgroup2 " /proc/self/mountinfo && exec "$@"';
  const node = [process.execPath, '--conditions=@hob/source', '--test', '--test-concurrency=1', '--test-reporter=tap'];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', withoutV2, String(unified), ...node, ...paths],
    { env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  assert.equal(status, 0, stdout + stderr);
  const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1]);
  assert.ok(passed >= TESTS_MIN, `${passed} tests passed`);
});
