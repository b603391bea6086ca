import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { detectCgroups } from '../../src/driver/cgroup-host.ts';
import { CgroupTree, instances } from '../../src/driver/cgroup-tree.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import { removeDeadInstances } from '../../src/driver/leftovers.ts';
import {
  bundlesFolder,
  driverOptions,
  evaluate,
  holdings,
  kindOf,
  limitsOf,
  runToTheEnd,
  testDrivers,
  withDriver,
} from './real-driver.ts';

testDrivers(' runs JavaScript in a container that shares nothing with the next one', async (withDriver) => {
  await withDriver(async (driver) => {
    const [a, b] = [await driver.create(kindOf(128)), await driver.create(kindOf(128))];
    assert.equal(await evaluate(a, "fs.writeFileSync('/tmp/mine', 'x'); return process.pid"), '1');
    assert.equal(await evaluate(b, "return fs.existsSync('/tmp/mine')"), 'false');
    assert.notEqual(a.pid, b.pid);
    assert.ok(a.createMs > 0);
  });
});

test('HostDriver: a thousand containers give a thousand of each random thing', async () => {
  await withDriver(async (driver) => {
    const seen = { uuid: new Set<string>(), math: new Set<string>(), int: new Set<string>(), bytes: new Set<string>() };
    const body = `const c = await import('node:crypto');
      return [c.randomUUID(), Math.random(), c.randomInt(2 ** 47), c.randomBytes(8).toString('hex'), process.pid].join()`;
    const one = async (): Promise<void> => {
      const container = await driver.create(kindOf(128));
      const [uuid = '', math = '', int = '', bytes = '', pid] = (await evaluate(container, body)).split(',');
      seen.uuid.add(uuid);
      seen.math.add(math);
      seen.int.add(int);
      seen.bytes.add(bytes);
      assert.equal(pid, '1');
      container.kill();
      await container.exited;
    };
    for (let round = 0; round < 250; round++) await Promise.all([one(), one(), one(), one()]);
    for (const values of Object.values(seen)) assert.equal(values.size, 1000);
  });
});

test('HostDriver: the page tables of a container are small, as its heap is in one place', async () => {
  await withDriver(async (driver) => {
    const container = await driver.create(kindOf(128));
    const [, kilobytes] = /^VmPTE:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${container.pid}/status`, 'utf8')) ?? [];
    // Of pages at random addresses each would have up to three of its own: 750 kB.
    assert.ok(Number(kilobytes) > 0 && Number(kilobytes) < 400, `${kilobytes} kB`);
  });
});

testDrivers(': containers outlive their zygote, which is booted anew', async (_withDriver, kind) => {
  using bundles = bundlesFolder();
  const restarts: number[] = [];
  const driver = await kind.open(driverOptions({ bundles: bundles.path }), {
    zygoteRestarted: (memoryMb) => restarts.push(memoryMb),
  });
  try {
    const before = await driver.create(kindOf(128));
    const [zygote] = driver.zygotes();
    assert.ok(zygote);
    process.kill(zygote.pid, 'SIGKILL');
    while (driver.zygotes()[0]?.restarts !== 1) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(restarts, [128]);
    const after = await driver.create(kindOf(128));
    await before.mountTask(bundles.digest);
    assert.equal(await evaluate(before, "return fs.readFileSync('/var/task/asset.txt')"), 'of the bundle');
    assert.equal(await evaluate(after, 'return 1 + 1'), '2');
  } finally {
    await driver.close();
  }
});

testDrivers('.create keeps working when its zygote is killed again and again under load', async (withDriver) => {
  const before = holdings();
  await withDriver(async (driver) => {
    let failures = 0;
    const pids: number[] = [];
    await driver.create(kindOf(128));
    for (let round = 0; round < 5; round++) {
      const creates = Array.from({ length: 6 }, () => driver.create(kindOf(128)));
      await new Promise((resolve) => setTimeout(resolve, round * 4));
      const pid = driver.zygotes()[0]?.pid;
      if (pid !== undefined) {
        process.kill(pid, 'SIGKILL');
        pids.push(pid);
      }
      for (const result of await Promise.allSettled(creates)) {
        if (result.status === 'fulfilled') continue;
        failures += 1;
        assert.equal((result.reason as { code: string }).code, 'ERR_SCHED_START_FAILED');
      }
    }
    // The driver may not have learned of the last end yet.
    while (pids.includes(driver.zygotes()[0]?.pid ?? 0)) await new Promise(setImmediate);
    assert.equal(await evaluate(await driver.create(kindOf(128)), 'return 7'), '7');
    assert.ok(failures < 30);
  });
  assert.deepEqual(holdings(), before);
});

testDrivers(' names how a container ended', async (withDriver) => {
  await withDriver(async (driver) => {
    const end = async (body: string): Promise<object> => runToTheEnd(await driver.create(kindOf(128)), body);
    const heap = await end('const a = []; for (;;) a.push(new Array(1e5).fill(0.5))');
    assert.deepEqual(
      { ...heap, cpuSeconds: 0, signal: '' },
      { code: undefined, signal: '', oomKilled: true, pidsDenied: false, cpuSeconds: 0 },
    );
    const buffers = await end('const a = []; for (;;) a.push(Buffer.alloc(1e7, 1))');
    assert.deepEqual(
      { ...buffers, cpuSeconds: 0 },
      { code: undefined, signal: 'SIGKILL', oomKilled: true, pidsDenied: false, cpuSeconds: 0 },
    );
    const exit = await end('process.exit(3)');
    assert.deepEqual(
      { ...exit, cpuSeconds: 0 },
      { code: 3, signal: undefined, oomKilled: false, pidsDenied: false, cpuSeconds: 0 },
    );
  });
});

testDrivers('.setLimits bounds memory from then on', async (withDriver) => {
  await withDriver(async (driver) => {
    const body = 'const a = []; for (let i = 0; i < 18; i++) a.push(Buffer.alloc(1e7, 1)); process.exit(9)';
    const roomy = await driver.create(kindOf(128));
    await roomy.setLimits(limitsOf({ memoryMb: 512 }));
    assert.equal((await runToTheEnd(roomy, body)).code, 9);
    const tight = await driver.create(kindOf(128));
    await tight.setLimits(limitsOf());
    assert.equal((await runToTheEnd(tight, body)).oomKilled, true);
  });
});

testDrivers('.close leaves no process, descriptor, mount or cgroup, whatever is alive', async (_withDriver, kind) => {
  const before = holdings();
  const driver = await kind.open(driverOptions());
  await Promise.all([driver.create(kindOf(128)), driver.create(kindOf(256)), driver.create(kindOf(128))]);
  await driver.close();
  await driver.close();
  assert.deepEqual(holdings(), before);
  await assert.rejects(driver.create(kindOf(128)), { code: 'ERR_SCHED_CLOSED' });
});

test('HostDriver.open removes what a killed predecessor left', async () => {
  const marker = mkdtempSync(join(tmpdir(), 'hob-predecessor-'));
  try {
    const script = join(marker, 'predecessor.ts');
    writeFileSync(
      script,
      `import { HostDriver } from ${JSON.stringify(new URL('../../src/driver/host-driver.ts', import.meta.url).href)};
       const driver = await HostDriver.open(JSON.parse(process.argv[2]));
       const kind = ${JSON.stringify(kindOf(128))};
       const made = await Promise.all([driver.create(kind), driver.create(kind)]);
       process.send({ pids: [...made.map((container) => container.pid), driver.zygotes()[0].pid] });`,
    );
    const options = driverOptions({ instance: `test-${process.pid}-lost` });
    const child = fork(script, [JSON.stringify(options)], { execArgv: ['--conditions=@hob/source'] });
    const [{ pids }] = (await once(child, 'message')) as [{ pids: number[] }];
    assert.equal(pids.length, 3);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const driver = await HostDriver.open(options);
    for (const pid of pids) assert.equal(isAlive(pid), false);
    await driver.close();
    for (const tree of ['memory', 'pids', '']) {
      assert.equal(existsSync(join('/sys/fs/cgroup', tree, 'hob', options.instance)), false);
    }
  } finally {
    rmSync(marker, { recursive: true });
  }
});

/** A zombie that init has not reaped yet has no program any more. */
function isAlive(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}

test('HostDriver.close ends nothing of another driver in the same process', async () => {
  await withDriver(async (driver) => {
    const container = await driver.create(kindOf(128));
    const zygotes = driver.zygotes();
    const other = await HostDriver.open(
      driverOptions({ instance: `test-${process.pid}-other`, hostUidFirst: 3_000_000 }),
    );
    await other.create(kindOf(128));
    await other.close();
    assert.equal(await evaluate(container, 'return 1'), '1');
    await driver.create(kindOf(128));
    assert.deepEqual(driver.zygotes(), zygotes);
  });
});

test('a zygote that dies leaves alone one that boots', async () => {
  await withDriver(async (driver) => {
    await driver.create(kindOf(128));
    const [zygote] = driver.zygotes();
    assert.ok(zygote);
    const booting = driver.create(kindOf(256));
    process.kill(zygote.pid, 'SIGKILL');
    assert.equal(await evaluate(await booting, 'return 1'), '1');
    assert.equal(await evaluate(await driver.create(kindOf(128)), 'return 1'), '1');
    assert.deepEqual(
      driver.zygotes().map(({ memoryMb, restarts }) => [memoryMb, restarts]),
      [
        [128, 1],
        [256, 0],
      ],
    );
  });
});

test('HostDriver.open without a root filesystem tells so, and makes nothing', async () => {
  const options = driverOptions({ root: '/nonexistent', instance: `test-rootless-${process.pid}` });
  await assert.rejects(HostDriver.open(options), { code: 'ERR_NATIVE_UNSUPPORTED' });
  assert.deepEqual(
    (await instances(detectCgroups())).filter((name) => name === options.instance),
    [],
  );
});

test('removeDeadInstances removes what a killed process left, and nothing of one that lives', async () => {
  const host = detectCgroups();
  const gone = spawnSync(process.execPath, ['--version']).pid;
  const names = [`test-dead-${gone}`, `test-dead-${process.pid}`, 'test-dead-not'] as const;
  const trees = names.map((name) => new CgroupTree(host, name));
  for (const tree of trees) await tree.open();
  try {
    await removeDeadInstances('test-dead');
    const left = await instances(host);
    assert.deepEqual(
      names.map((name) => left.includes(name)),
      [false, true, true],
    );
  } finally {
    for (const tree of trees) await tree.close();
  }
});
