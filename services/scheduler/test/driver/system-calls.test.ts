import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeCalls, smallestRules, type SystemCallRules } from '@hob/contracts';
import { faultsLibraryPath } from '@hob/native';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import { driverOptions, evaluate, holdings, kindOf, testDrivers, withDriver } from './real-driver.ts';

/** What Node's fs.mkdir and /bin/mkdir call. */
const mkdirCalls = ['mkdir', 'mkdirat'];
const makeFolder = "fs.mkdirSync('/tmp/x')";

const garbage = 'for (let i = 0; i < 200; i++) globalThis.x = [new Array(1e5).fill(i).map(String)]; return 4';

/** Runs a function body in a container, and gives the system call that ended it. */
async function endingCall(container: ContainerProcess, body: string): Promise<string> {
  const answer = await evaluate(container, body).catch((error: Error) => error.message);
  const { signal, code, forbiddenCall } = await container.exited;
  assert.ok(forbiddenCall !== undefined, `it was not ended for a call: ${answer}`);
  assert.deepEqual({ signal, code }, { signal: 'SIGKILL', code: undefined });
  return forbiddenCall;
}

// The first boot of a driver in a process leaves a descriptor of libuv's.
await withDriver((driver) => driver.create(kindOf(128)));

testDrivers(' ends a container by the name of a denied call, whoever makes it', async (withDriver) => {
  const before = holdings();
  await withDriver(async (driver) => {
    const create = (): Promise<ContainerProcess> => driver.create(kindOf(128), { deny: mkdirCalls });
    const spawned = "const { spawnSync } = await import('node:child_process'); spawnSync('/bin/sh', ['-c', COMMAND])";
    const bodies = {
      'the function': makeFolder,
      'asynchronous code, on a thread of libuv': "await fs.promises.mkdir('/tmp/x')",
      'a worker': `const { Worker } = await import('node:worker_threads');
        await new Promise((resolve) => new Worker("require('fs').mkdirSync('/tmp/x')", { eval: true }).on('exit', resolve))`,
      'a program': spawned.replace('COMMAND', "'mkdir /tmp/x'"),
      "a program's child in the background": spawned.replace('COMMAND', "'(sleep 0; mkdir /tmp/x) & sleep 1000'"),
      // Without its socket it would die of that; the rest may hold the listener.
      'one that closes what it finds first': `for (const fd of fs.readdirSync('/proc/self/fd')) try {
        if (!fs.readlinkSync('/proc/self/fd/' + fd).startsWith('socket:')) fs.closeSync(Number(fd)) } catch {}
        ${makeFolder}`,
    };
    for (const [who, body] of Object.entries(bodies)) {
      const call = await endingCall(await create(), `${body}; return 'made'`);
      assert.ok(mkdirCalls.includes(call), `${who}: ${call}`);
    }
    assert.equal(await evaluate(await create(), "fs.writeFileSync('/tmp/x', 'y'); return 'written'"), 'written');
  });
  assert.deepEqual(holdings(), before);
});

test('a call that no function may make is answered, unless it is denied or violations kill', async () => {
  const attempts = {
    setgroups: 'try { process.setgroups([1]) } catch (error) { return error.code }',
    clock_settime: `const { spawnSync } = await import('node:child_process');
      const { stderr } = spawnSync('/bin/date', ['-s', '2020-01-01']); return /not permitted/.test(stderr) ? 'EPERM' : stderr`,
  };
  await withDriver(async (driver) => {
    for (const [call, body] of Object.entries(attempts)) {
      const run = (seccomp: SystemCallRules) => driver.create(kindOf(128), seccomp);
      assert.equal(await evaluate(await run({ deny: ['mkdir'] }), body), 'EPERM');
      assert.equal(await endingCall(await run({ deny: [call] }), body), call);
      assert.equal(await endingCall(await run({ onViolation: 'kill' }), body), call);
    }
    // Not known to be dangerous: libc asks for clone3 to start threads, and for netlink to know addresses.
    const threads = "return (await fs.promises.readFile('/etc/hosts', 'utf8')).length > 0";
    const netlink =
      "try { return (await import('node:os')).networkInterfaces() } catch (error) { return error.message }";
    const lenient = await evaluate(await driver.create(kindOf(128)), netlink);
    assert.equal(await evaluate(await driver.create(kindOf(128), { onViolation: 'kill' }), threads), 'true');
    assert.equal(await evaluate(await driver.create(kindOf(128), { onViolation: 'kill' }), netlink), lenient);
  });
});

test('an allow-list leaves the runtime whole, and a call that is not in it ends the container by its name', async () => {
  await withDriver(async (driver) => {
    const create = (): Promise<ContainerProcess> => driver.create(kindOf(128), { allow: [] });
    assert.equal(await evaluate(await create(), garbage), '4');
    assert.equal(await evaluate(await create(), 'await new Promise((r) => setTimeout(r, 5)); return 5'), '5');
    assert.equal(await endingCall(await create(), "return fs.readFileSync('/etc/hosts')"), 'openat');
    const socket = "(await import('node:dgram')).createSocket('udp4').bind(0); await new Promise(() => {})";
    assert.equal(await endingCall(await create(), socket), 'socket');
    // What the profile refuses, it refuses as before.
    assert.equal(await evaluate(await create(), 'try { process.setgroups([1]) } catch (e) { return e.code }'), 'EPERM');
  });
});

testDrivers(' learns the smallest rules that a function can live with', async (withDriver) => {
  await withDriver(async (driver) => {
    const learn = async (body: string): Promise<string[]> => {
      const container = await driver.create(kindOf(128), 'learn');
      await evaluate(container, body);
      container.kill();
      const { systemCalls } = await container.exited;
      return smallestRules(systemCalls ?? []).allow;
    };
    assert.deepEqual(await learn("return 'hello'"), []);
    const body = `${makeFolder}; fs.rmdirSync('/tmp/x');
      const { execFileSync } = await import('node:child_process');
      return execFileSync('/bin/sh', ['-c', 'echo hi | cat']) + (await fs.promises.readFile('/etc/hosts')).length`;
    const allow = await learn(body);
    for (const name of ['rmdir', 'execve', 'clone', 'openat'])
      assert.ok(allow.includes(name), `${name} of ${allow.join()}`);
    assert.match(await evaluate(await driver.create(kindOf(128), { allow }), body), /^hi\n\d+$/);
    for (const missing of ['rmdir', 'execve']) {
      const container = await driver.create(kindOf(128), { allow: allow.filter((name) => name !== missing) });
      assert.equal(await endingCall(container, body), missing);
    }
  });
});

test('a container without what its runtime needs does not start, and says why', async () => {
  const before = holdings();
  await withDriver(async (driver) => {
    const parked = await driver.create(kindOf(128), 'learn');
    parked.kill();
    const { systemCalls = [] } = await parked.exited;
    assert.ok(systemCalls.length > 3, systemCalls.join());
    for (const call of systemCalls) {
      assert.ok(runtimeCalls.has(call), `${call} is made before there is a function`);
      const says = await driver.create(kindOf(128), { deny: [call] }).then(
        // It is parked before it makes the call: when it collects garbage.
        async (container) => {
          await evaluate(container, garbage).catch(() => undefined);
          return (await container.exited).forbiddenCall;
        },
        (error: Error) => error.message,
      );
      const refusal = `the container ended before it was parked: it may not make the system call ${call}`;
      assert.ok(says === refusal || says === call, says);
    }
  });
  assert.deepEqual(holdings(), before);
});

test('rules that do not compile are refused before anything is made', async () => {
  const before = holdings();
  await withDriver(async (driver) => {
    await assert.rejects(driver.create(kindOf(128), { deny: ['no_such_call'] }), { code: 'ERR_NATIVE_SYSCALL' });
    assert.equal(await evaluate(await driver.create(kindOf(128)), 'return 1'), '1');
  });
  assert.deepEqual(holdings(), before);
});

for (const faultStep of [
  'notices',
  'pipes',
  'send',
  'clone',
  'descriptors',
  'seccomp',
  'watch epoll',
  'watch thread',
]) {
  test(`HostDriver.create of a container with rules leaves nothing when "${faultStep}" fails`, async () => {
    const before = holdings();
    // The zygote's own library is told by the driver, the host's by its environment.
    const isHosts = /^watch|notices/.test(faultStep);
    if (isHosts) process.env['HOB_PROBE'] = faultStep;
    const zygoteFault = isHosts ? '' : faultStep;
    const driver = await HostDriver.open(driverOptions({ library: faultsLibraryPath, probe: zygoteFault }));
    try {
      for (let tries = 0; tries < 2; tries++) {
        await assert.rejects(driver.create(kindOf(128), { deny: mkdirCalls }), new RegExp(`${faultStep}: EIO`));
      }
    } finally {
      delete process.env['HOB_PROBE'];
      await driver.close();
    }
    assert.deepEqual(holdings(), before);
  });
}
