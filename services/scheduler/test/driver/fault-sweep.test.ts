import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SystemCallRules } from '@hob/contracts';
import { faultsLibraryPath } from '@hob/native';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { detectCgroups } from '../../src/driver/cgroup-host.ts';
import { CgroupTree } from '../../src/driver/cgroup-tree.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import { bundlesFolder, driverOptions, holdings, kindOf, limitsOf, shellProgram } from './real-driver.ts';

type Ask = (container: ContainerProcess, digest: string) => Promise<void>;

const forking = ['request', 'pipes', 'limits', 'send', 'clone'];
const entering = [
  ...['spec', 'session', 'cgroup', 'namespaces', 'clocks', 'network', 'root', 'pivot', 'hostname', 'stdio', 'rlimits'],
  ...['ids', 'user namespace', 'namespace limits', 'keyring', 'capabilities', 'identity', 'parent', 'label'],
  ...['no_new_privs', 'landlock', 'frames', 'descriptors', 'handlers', 'seccomp'],
];
const sweeps = {
  'nodejs24.x': [...forking, ...entering, 'event loop', 'settle'],
  // The library's own sweep fails every step for a program too; here are those that differ.
  shell: ['clone', 'label', 'descriptors', 'seccomp', 'signals', 'folder', 'execute'],
};

for (const [runtime, steps] of Object.entries(sweeps)) for (const step of steps) sweep(runtime, step);
for (const step of ['notices', 'filter']) sweep('nodejs24.x', step, { deny: ['uname'] });

function sweep(runtime: string, faultStep: string, seccomp?: SystemCallRules): void {
  test(`HostDriver.create of ${runtime} leaves nothing when "${faultStep}" fails`, async () => {
    const before = holdings();
    const programs = { shell: shellProgram('read line <&3') };
    const driver = await HostDriver.open(driverOptions({ library: faultsLibraryPath, probe: faultStep, programs }));
    try {
      for (let tries = 0; tries < 2; tries++) {
        await assert.rejects(driver.create({ ...kindOf(128), runtime }, seccomp), (error: Error & { code: string }) => {
          assert.equal(error.code, 'ERR_SCHED_START_FAILED');
          assert.match(error.message, new RegExp(`${faultStep}: EIO`));
          return true;
        });
      }
    } finally {
      await driver.close();
    }
    assert.deepEqual(holdings(), before);
  });
}

/** What a container that lives is asked for, and the steps of it. */
const requests: Readonly<Record<string, readonly [ask: Ask, steps: readonly string[]]>> = {
  setLimits: [(container) => container.setLimits(limitsOf({ nofile: 100, tmpMb: 1 })), ['limit nofile', 'limit tmp']],
  mountTask: [
    (container, digest) => container.mountTask(digest),
    ['source', 'tree', 'container', 'namespace', 'helper', 'attach'].map((step) => `mount ${step}`),
  ],
};

for (const [name, [ask, steps]] of Object.entries(requests)) for (const step of steps) sweepRequest(name, ask, step);

function sweepRequest(name: string, ask: Ask, faultStep: string): void {
  test(`${name} fails when "${faultStep}" does, and the container leaves nothing`, async (t) => {
    const before = holdings();
    using bundles = bundlesFolder();
    const driver = await HostDriver.open(driverOptions({ library: faultsLibraryPath, bundles: bundles.path }));
    try {
      const container = await driver.create(kindOf(128));
      // The host's own calls into the library fail, not the zygote's.
      process.env['HOB_PROBE'] = faultStep;
      t.after(() => delete process.env['HOB_PROBE']);
      await assert.rejects(ask(container, bundles.digest), {
        code: 'ERR_NATIVE_SYSCALL',
        message: `${faultStep}: EIO`,
      });
      container.kill();
      await container.exited;
    } finally {
      await driver.close();
    }
    assert.deepEqual(holdings(), before);
  });
}

test('an account that cannot be opened is told with its step', () => {
  const tree = new CgroupTree(detectCgroups(), driverOptions().instance);
  assert.throws(() => tree.account('nobody'), { code: 'ERR_NATIVE_SYSCALL', message: 'cgroup account: ENOENT' });
});

test('HostDriver.create tells of a zygote that cannot boot, and boots one when it can', async () => {
  const before = holdings();
  const driver = await HostDriver.open(driverOptions({ library: '/nonexistent/libhob.so' })).catch(
    (error: unknown) => error,
  );
  assert.ok(driver instanceof Error);
  const broken = await HostDriver.open(driverOptions({ root: driverOptions().root, probe: '', startTimeoutMs: 1 }));
  try {
    await assert.rejects(broken.create(kindOf(128)), { code: 'ERR_SCHED_START_FAILED', message: /longer than 1 ms/ });
    await assert.rejects(broken.create({ ...kindOf(128), runtime: 'python' }), { code: 'ERR_SCHED_START_FAILED' });
  } finally {
    await broken.close();
  }
  assert.deepEqual(holdings(), before);
});
