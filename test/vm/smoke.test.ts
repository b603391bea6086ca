/** After the attempts of a hostile function, of which this takes the server over: a guest needs half a minute to start one. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { exampleFolder } from '../support/example.ts';
import { starting } from '../isolation/attempts.test.ts';
import type { HobServer } from '../support/hob-server.ts';
import { cgroupFolders, cgroupName, mounts } from '../support/host-census.ts';
import { problem } from '../support/http-call.ts';
import { descendants, isRunning } from '../support/processes.ts';
import { until } from '../support/until.ts';

let hob: HobServer;
const mountsBefore = mounts();

before(async () => {
  ({ hob } = await starting);
  const functions = ['behave', 'impatient', 'strict'].map((name) => join(import.meta.dirname, '../functions', name));
  await hob.deploy(exampleFolder('hello'), ...functions);
});

/** The next call gets a container that has seen no call. */
async function assertCleanContainer(): Promise<void> {
  const answer = await hob.fn('behave/state');
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  assert.equal(JSON.parse(answer.body.toString('utf8')).calls, 1);
}

test('a function is deployed and called in this guest, and the call has a receipt', async () => {
  const answer = await hob.fn('hello', { body: '{"name":"Ada"}' });
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  assert.match(answer.body.toString('utf8'), /Hello, Ada!/);
  assert.match(String(answer.headers['server-timing']), /^queue;dur=/);
  const invoked = await hob.hob(['invoke', 'hello', '--data', '{"name":"Bob"}', '--receipt']);
  assert.equal(invoked.exitCode, 0, invoked.stderr);
  assert.match(invoked.stdout, /Hello, Bob!/);
  assert.match(invoked.stderr, /warm/);
});

test('memory beyond the limit ends the container in this guest, with its cause, whoever notices first', async () => {
  for (const path of ['hoard', 'hoard-heap']) {
    assert.equal(problem(await hob.fn(`behave/${path}`)), '502 ERR_FN_OUT_OF_MEMORY', path);
    await assertCleanContainer();
  }
});

test('a fork bomb ends the container in this guest, and no process of it is left', async () => {
  assert.equal(problem(await hob.fn('behave/bomb')), '502 ERR_FN_TOO_MANY_PROCESSES');
  await until('every process of the fork bomb is gone', () =>
    descendants(hob.pid).every((seen) => seen.name !== 'sleep'),
  );
  await assertCleanContainer();
});

test('a call that does not end in time is ended in this guest, also when it blocks its event loop', async () => {
  for (const path of ['wait', 'spin']) {
    assert.equal(problem(await hob.fn(`impatient/${path}`)), '504 ERR_FN_TIMEOUT', path);
  }
});

test('a denied system call ends its container by its name in this guest', async () => {
  const answer = await hob.fn('strict/shell');
  assert.equal(problem(answer), '502 ERR_FN_FORBIDDEN_SYSCALL');
  assert.match(answer.body.toString('utf8'), /: umask"/);
});

test('hob serve ends in this guest and leaves no process, cgroup or mount', async () => {
  const [family, cgroups] = [descendants(hob.pid), cgroupName(hob.pid)];
  assert.ok(cgroupFolders(cgroups).length > 1, 'containers have cgroups');
  assert.equal(await hob.stop(), 0, hob.output);
  assert.deepEqual(family.filter(isRunning), []);
  assert.deepEqual(cgroupFolders(cgroups), []);
  assert.deepEqual(mounts(), mountsBefore);
});
