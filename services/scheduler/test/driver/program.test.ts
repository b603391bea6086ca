import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { holdings, kindOf, runShell, shellProgram, withDriver } from './real-driver.ts';

for (const runtime of ['nodejs24.x', 'shell']) {
  test(`a container of ${runtime} is gone with all its processes when it is killed`, async () => {
    const before = holdings();
    await withDriver(
      async (driver) => {
        const container = await driver.create({ ...kindOf(128), runtime });
        container.kill();
        const exit = await container.exited;
        assert.equal(exit.signal, 'SIGKILL');
        assert.equal(existsSync(`/proc/${container.pid}`), false);
      },
      { programs: { shell: shellProgram('(while :; do :; done) & (while :; do :; done) & read line <&3') } },
    );
    assert.deepEqual(holdings(), before);
  });
}

test('a program runs as pid 1 with its arguments, environment, folder and nothing else open', async () => {
  const lines = await runShell('echo $$ "$PWD" "$PATH" "$HOME$USER"; ls /proc/self/fd | tr "\\n" " "; echo');
  // 4 is the folder that ls reads.
  assert.deepEqual(lines, ['stdout: 1 /tmp /usr/bin:/bin ', 'stdout: 0 1 2 3 4 ']);
});

test('HostDriver.create tells of a program that cannot be executed', async () => {
  const before = holdings();
  await withDriver(
    async (driver) => {
      await assert.rejects(driver.create({ ...kindOf(128), runtime: 'shell' }), {
        code: 'ERR_SCHED_START_FAILED',
        message: /execute: ENOENT/,
      });
    },
    { programs: { shell: { argv: ['/bin/nothing'], env: {}, folder: '/tmp' } } },
  );
  assert.deepEqual(holdings(), before);
});
