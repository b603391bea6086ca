import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { LOG_LINE_BYTES_MAX, memoryClassesMb } from '@hob/contracts';
import * as fc from 'fast-check';
import { cgroupBase, parseCgroupHost } from '../../src/driver/cgroup-host.ts';
import { numberIn } from '../../src/driver/cgroup-account.ts';
import { cpuQuotaUs } from '../../src/driver/cgroup-knobs.ts';
import { HostUids } from '../../src/driver/host-uids.ts';
import { readLines } from '../../src/driver/output-lines.ts';
import { decodeStatus } from '../../src/driver/process-reaper.ts';
import { categoryPair } from '../../src/driver/selinux.ts';
import { heapFlags } from '../../src/driver/zygote.ts';

const none = (): string => '';
const v1 = ['cpu,cpuacct', 'memory', 'pids', 'devices'].map(
  (names, i) => `${30 + i} 25 0:${30 + i} / /sys/fs/cgroup/${names} rw,relatime - cgroup cgroup rw,${names}`,
);
const v2 = '41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';

test('parseCgroupHost finds v1 controllers, also two in one tree', () => {
  const host = parseCgroupHost(v1.join('\n'), none);
  assert.equal(host.version, 1);
  assert.equal(host.version === 1 && host.mounts.get('cpuacct'), '/sys/fs/cgroup/cpu,cpuacct');
});

test('parseCgroupHost takes the v1 controller for block devices where there is one', () => {
  const without = parseCgroupHost(v1.join('\n'), none);
  assert.equal(without.version === 1 && without.mounts.has('blkio'), false);
  const blkio = '40 25 0:40 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio';
  const host = parseCgroupHost([...v1, blkio].join('\n'), none);
  assert.equal(host.version === 1 && host.mounts.get('blkio'), '/sys/fs/cgroup/blkio');
});

test('parseCgroupHost takes v1 on a hybrid host, whose v2 tree has no controllers', () => {
  assert.equal(parseCgroupHost([...v1, v2].join('\n'), () => 'hugetlb\n').version, 1);
});

test('parseCgroupHost takes v2 where it has the controllers', () => {
  const host = parseCgroupHost(v2, () => 'cpuset cpu io memory pids\n');
  assert.deepEqual(host, { version: 2, mount: '/sys/fs/cgroup', hasIo: true });
  assert.deepEqual(
    parseCgroupHost(v2, () => 'cpu memory pids'),
    { version: 2, mount: '/sys/fs/cgroup', hasIo: false },
  );
});

test('parseCgroupHost refuses a host on which a controller is missing', () => {
  for (const mounts of ['', v2, v1.slice(1).join('\n'), `${v1[0]}\n${v2}`]) {
    assert.throws(() => parseCgroupHost(mounts, () => 'cpu memory'), { code: 'ERR_NATIVE_UNSUPPORTED' });
  }
});

test('cpuQuotaUs is the share of a period, and never below what the kernel takes', () => {
  assert.equal(cpuQuotaUs(1), 100_000);
  assert.equal(cpuQuotaUs(0.25), 25_000);
  assert.equal(cpuQuotaUs(0.001), 1000);
});

test('numberIn reads the number right after a key, or at the start', () => {
  const events = Buffer.from('oom 1\noom_kill 70\n');
  assert.equal(numberIn(events, 'oom_kill '), 70);
  assert.equal(numberIn(events, 'oom '), 1);
  assert.equal(numberIn(Buffer.from('4096\n'), ''), 4096);
  assert.equal(numberIn(events, 'max '), undefined);
});

test('decodeStatus tells exit codes from signals', () => {
  assert.deepEqual(decodeStatus(3 << 8), { code: 3, signal: undefined });
  assert.deepEqual(decodeStatus(9), { code: undefined, signal: 'SIGKILL' });
  assert.deepEqual(decodeStatus(11 | 0x80), { code: undefined, signal: 'SIGSEGV' });
  assert.deepEqual(decodeStatus(31), { code: undefined, signal: 'SIGSYS' });
});

test('heapFlags leave room below the memory limit in every class', () => {
  for (const classMb of memoryClassesMb) {
    const [semi = 0, old = 0] = heapFlags(classMb).map((flag) => Number(flag.split('=')[1]));
    assert.ok(old > 0 && old + 3 * semi <= classMb * 0.8, `${classMb}: ${old} + 3 × ${semi}`);
  }
});

test('HostUids never lends a uid twice at a time, and says when all are lent', () => {
  const uids = new HostUids(1000, 3);
  const lent = [uids.take(), uids.take(), uids.take()];
  assert.deepEqual(new Set(lent), new Set([1000, 1001, 1002]));
  assert.throws(() => uids.take(), { code: 'ERR_SCHED_START_FAILED' });
  uids.giveBack(1001);
  assert.equal(uids.take(), 1001);
});

test('readLines gives every character once, in lines of bounded length, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'binary', maxLength: 40 })),
      fc.integer({ min: 1, max: 7 }),
      async (lines, cut) => {
        const text = lines.map((line) => line.replaceAll('\n', ' ')).join('\n');
        const bytes = Buffer.from(text);
        const chunks = Array.from({ length: Math.ceil(bytes.byteLength / cut) }, (_, i) =>
          bytes.subarray(i * cut, (i + 1) * cut),
        );
        const seen: string[] = [];
        const stream = Readable.from(chunks, { objectMode: false });
        readLines(stream, (line) => seen.push(line));
        await new Promise((resolve) => stream.once('close', resolve));
        const expected = text.split('\n');
        if (expected.at(-1) === '') expected.pop();
        assert.deepEqual(seen, expected);
      },
    ),
  );
  const long: string[] = [];
  const stream = Readable.from([Buffer.alloc(3 * LOG_LINE_BYTES_MAX + 5, 'x')], { objectMode: false });
  readLines(stream, (line) => long.push(line));
  await new Promise((resolve) => stream.once('close', resolve));
  assert.deepEqual(
    long.map((line) => line.length),
    [LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MAX, 5],
  );
});

test('parseCgroupHost sees the v2 tree beside v1, and then needs no freezer', () => {
  const freezer = '39 25 0:39 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer';
  const alone = parseCgroupHost([...v1, freezer].join('\n'), none);
  assert.ok(alone.version === 1 && alone.unified === undefined && alone.mounts.has('freezer'));
  const hybrid = parseCgroupHost([...v1, freezer, v2].join('\n'), none);
  assert.ok(hybrid.version === 1 && hybrid.unified === '/sys/fs/cgroup' && !hybrid.mounts.has('freezer'));
});

test('cgroupBase is what systemd delegated, whether this process is in it or in a child, else the top', () => {
  const service = '/sys/fs/cgroup/system.slice/hob.service';
  const isDelegated = (folder: string): boolean => folder === service;
  const base = (own: string): string => cgroupBase('/sys/fs/cgroup', `3:cpu:/other\n0::${own}\n`, isDelegated);
  assert.equal(base('/system.slice/hob.service'), service);
  assert.equal(base('/system.slice/hob.service/hob-serve'), service);
  for (const own of ['/', '/system.slice', '/system.slice/other.service']) assert.equal(base(own), '/sys/fs/cgroup');
  assert.equal(
    cgroupBase('/sys/fs/cgroup', '3:cpu:/\n', () => true),
    '/sys/fs/cgroup',
  );
});

test('categoryPair gives another pair for each number', () => {
  const numbers = Array.from({ length: 60_000 }, (_, number) => number);
  const pairs = numbers.map(categoryPair);
  assert.equal(new Set(pairs).size, pairs.length);
  assert.deepEqual(pairs.slice(0, 4), ['c0,c1', 'c0,c2', 'c1,c2', 'c0,c3']);
  for (const pair of pairs) {
    const [low = 0, high = 0] = pair.split(',').map((name) => Number(name.slice(1)));
    assert.ok(low < high && high < 1024, pair);
  }
});
