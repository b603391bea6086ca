import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { detectCgroups } from '../../src/driver/cgroup-host.ts';
import { blockDevices } from '../../src/driver/cgroup-knobs.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import { driverOptions, evaluate, kindOf, limitsOf, runToTheEnd } from './real-driver.ts';

const host = detectCgroups();

/** One for the whole file: a zygote takes longer to boot than all that is asked of its containers. */
let driver: HostDriver;
before(async () => (driver = await HostDriver.open(driverOptions())));
after(async () => driver.close());

/** A file of the container's cgroup of a controller. */
function cgroupFile(container: ContainerProcess, controller: 'cpu' | 'pids' | 'blkio', file: string): string {
  const mount = host.version === 2 ? host.mount : host.mounts.get(controller);
  return readFileSync(`${mount}/hob/${driverOptions().instance}/${container.id}/${file}`, 'utf8').trim();
}

/** What /proc/<pid>/limits says of one resource: soft and hard. */
function rlimit(container: ContainerProcess, name: string): string {
  const line = readFileSync(`/proc/${container.pid}/limits`, 'utf8')
    .split('\n')
    .find((each) => each.startsWith(name));
  return (line ?? '').slice(name.length).trim().split(/\s+/).slice(0, 2).join(' ');
}

/** Whether this process has CAP_SYS_RESOURCE. */
function maySetResources(): boolean {
  const effective = /^CapEff:\s+([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
}

test('setLimits bounds descriptors, processes and /tmp of a container that is parked', async () => {
  const container = await driver.create(kindOf(128));
  await container.setLimits(limitsOf({ nofile: 100, pids: 40, tmpMb: 3, tmpFiles: 50 }));
  assert.equal(rlimit(container, 'Max open files'), '100 100');
  assert.equal(cgroupFile(container, 'pids', 'pids.max'), '40');
  const body = `const { bsize, blocks, files } = fs.statfsSync('/tmp');
    const open = []; let refusal;
    try { for (;;) open.push(fs.openSync('/dev/null')); } catch (error) { refusal = error.code; }
    open.forEach((fd) => fs.closeSync(fd));
    let made = 0, full;
    try { for (;;) fs.writeFileSync('/tmp/' + made++, ''); } catch (error) { full = error.code; }
    let big;
    try { fs.writeFileSync('/tmp/0', Buffer.alloc(4 << 20)); } catch (error) { big = error.code; }
    return [bsize * blocks, files, refusal, open.length < 100, full, made < 51, big];`;
  assert.equal(await evaluate(container, body), `${3 << 20},50,EMFILE,true,ENOSPC,true,ENOSPC`);
  const flags = readFileSync(`/proc/${container.pid}/mountinfo`, 'utf8')
    .split('\n')
    .find((line) => line.includes(' /tmp '));
  assert.match(flags ?? '', /nosuid,nodev,noexec/, 'the flags of the mount are kept');
});

test('setLimits can also give more than a parked container has', async () => {
  const container = await driver.create(kindOf(128));
  await container.setLimits(limitsOf({ memoryMb: 256, pids: 300, tmpMb: 100, tmpFiles: 20_000 }));
  assert.equal(cgroupFile(container, 'pids', 'pids.max'), '300');
  const body = "fs.writeFileSync('/tmp/big', Buffer.alloc(90 << 20)); return fs.statSync('/tmp/big').size >> 20";
  assert.equal(await evaluate(container, body), '90');
});

test('setLimits changes the part of the CPU time of a container that runs', async () => {
  const container = await driver.create(kindOf(128));
  const weight = (): string => cgroupFile(container, 'cpu', host.version === 2 ? 'cpu.weight' : 'cpu.shares');
  const usual = weight();
  assert.equal(usual, host.version === 2 ? '100' : '1024');
  assert.equal(await evaluate(container, 'return 1'), '1');
  await container.setLimits(limitsOf({ cpuWeight: 10 }));
  assert.equal(weight(), host.version === 2 ? '10' : '102');
  await container.setLimits(limitsOf());
  assert.equal(weight(), usual);
});

test('setLimits gives more descriptors than a parked container has where hob may, and says so where not', async () => {
  const container = await driver.create(kindOf(128));
  const raised = container.setLimits(limitsOf({ nofile: 4096 }));
  if (!maySetResources()) {
    await assert.rejects(raised, { code: 'ERR_NATIVE_SYSCALL', message: 'limit nofile: EPERM' });
    return;
  }
  await raised;
  const body =
    'const open = []; for (let at = 0; at < 3000; at++) open.push(fs.openSync("/dev/null")); return open.length';
  assert.equal(await evaluate(container, body), '3000');
});

test('setLimits makes no system call for what a parked container has already', async () => {
  const container = await driver.create(kindOf(128));
  const before = readFileSync(`/proc/self/io`, 'utf8');
  await container.setLimits(limitsOf());
  const calls = (text: string): string | undefined => /syscw: (\d+)/.exec(text)?.[1];
  assert.equal(calls(readFileSync(`/proc/self/io`, 'utf8')), calls(before), 'nothing was written');
});

test('setLimits fails with a code, and says the step, when the container is gone', async () => {
  const container = await driver.create(kindOf(128));
  container.kill();
  await container.exited;
  await assert.rejects(container.setLimits(limitsOf({ nofile: 100 })), {
    code: 'ERR_NATIVE_SYSCALL',
    message: 'limits: ESRCH',
  });
});

const hasIo = host.version === 2 ? host.hasIo : host.mounts.has('blkio');
test(
  'setLimits bounds reads and writes on every block device',
  { skip: hasIo ? false : 'this host has no cgroup controller for block devices' },
  async () => {
    const container = await driver.create(kindOf(128));
    await container.setLimits(limitsOf({ io: { readBytesPerSecond: 1_048_576, writesPerSecond: 20 } }));
    const devices = blockDevices();
    assert.ok(devices.length > 0);
    for (const device of devices) {
      if (host.version === 2) {
        assert.match(cgroupFile(container, 'blkio', 'io.max'), new RegExp(`${device} rbps=1048576 .*wiops=20`));
        continue;
      }
      const lines = (file: string): string[] => cgroupFile(container, 'blkio', `blkio.throttle.${file}`).split('\n');
      assert.ok(lines('read_bps_device').includes(`${device} 1048576`));
      assert.ok(lines('write_iops_device').includes(`${device} 20`));
      assert.deepEqual(lines('write_bps_device'), ['']);
    }
  },
);

test('the account counts CPU time and the most memory, and keeps the last numbers after death', async () => {
  const container = await driver.create(kindOf(256));
  const { account } = container;
  const before = account.cpuMs();
  await evaluate(container, 'const end = Date.now() + 50; while (Date.now() < end); return 1');
  const spun = account.cpuMs();
  assert.ok(spun > before, `${spun} after ${before}`);
  assert.ok(account.memoryPeakBytes() > 0);
  container.kill();
  await container.exited;
  assert.ok(account.cpuMs() >= spun);
  assert.ok(account.memoryPeakBytes() > 0);
  assert.equal(account.breach(), undefined);
  account.restartPeak();
});

test('restartPeak() makes the most memory of before forgotten', async (t) => {
  const container = await driver.create(kindOf(256));
  const { account } = container;
  await evaluate(container, "fs.writeFileSync('/tmp/x', Buffer.alloc(40 << 20)); fs.unlinkSync('/tmp/x'); return 1");
  const high = account.memoryPeakBytes();
  assert.ok(high > 40 << 20, `${high}`);
  account.restartPeak();
  const low = account.memoryPeakBytes();
  if (host.version === 2 && low === high) t.diagnostic('this kernel cannot start the count anew');
  else assert.ok(low < high, `${low} of ${high}`);
});

test('breach() tells of refused processes, and the container goes on', async () => {
  const container = await driver.create(kindOf(128));
  await container.setLimits(limitsOf({ pids: 16 }));
  assert.equal(container.account.breach(), undefined);
  const body = `const { spawn } = await import('node:child_process');
    for (let made = 0; ; made++) {
      const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
      const refusal = await new Promise((done) => child.on('spawn', () => done()).on('error', (e) => done(e.code)));
      if (refusal) return refusal;
    }`;
  assert.equal(await evaluate(container, body), 'EAGAIN');
  assert.equal(container.account.breach(), 'pids');
  container.kill();
  assert.equal((await container.exited).pidsDenied, true);
});

test('breach() tells of a child that was killed for memory, or the whole container is', async () => {
  const container = await driver.create(kindOf(128));
  const hoard = 'const a = []; for (;;) a.push(Buffer.alloc(1e7, 1))';
  const body = `const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(hoard)}], { stdio: 'ignore' });
    await new Promise((done) => child.on('exit', done)); process.exit(7)`;
  const exit = await runToTheEnd(container, body);
  assert.equal(exit.oomKilled, true);
  if (host.version === 2) assert.equal(exit.signal, 'SIGKILL', 'all of it goes together');
});

test('the account of a container costs no descriptor once it is gone', async () => {
  const end = async (container: ContainerProcess): Promise<void> => {
    container.kill();
    await container.exited;
  };
  await end(await driver.create(kindOf(128))); // the zygote has come, and a network is kept for the next one
  const before = readdirSync('/proc/self/fd').length;
  const container = await driver.create(kindOf(128));
  assert.ok(readdirSync('/proc/self/fd').length > before);
  await end(container);
  assert.ok(readdirSync('/proc/self/fd').length <= before);
});
