import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { HostMemory, memoryCgroups, somePressurePercent } from '../src/host-memory.ts';

const meminfo = 'MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   5000 kB\n';
const pressure = 'some avg10=2.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1\n';
const v2 = '29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n';
const v1 =
  '34 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';

/** A reading of a host that has these files. */
async function readingOf(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), 'hob-memory-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    return await new HostMemory(root).read();
  } finally {
    await rm(root, { recursive: true });
  }
}

test("HostMemory.read() gives the host's memory and pressure, and tells where the kernel does not", async () => {
  const all = { totalBytes: 8000 * 1024, availableBytes: 5000 * 1024 };
  assert.deepEqual(await readingOf({ 'proc/meminfo': meminfo, 'proc/pressure/memory': pressure }), {
    ...all,
    pressurePercent: 2.5,
  });
  assert.deepEqual(await readingOf({ 'proc/meminfo': meminfo }), { ...all, pressurePercent: undefined });
  assert.equal(await readingOf({}), undefined);
});

test('HostMemory.read() gives what is left of the tightest cgroup, with the file cache that can be given back', async () => {
  const host = { 'proc/meminfo': meminfo, 'proc/self/mountinfo': v2, 'proc/self/cgroup': '0::/a/b\n' };
  const group = 'sys/fs/cgroup/a';
  const files = {
    ...host,
    [`${group}/b/memory.max`]: 'max\n',
    [`${group}/memory.max`]: `${4000 * 1024}\n`,
    [`${group}/memory.current`]: `${3000 * 1024}\n`,
    [`${group}/memory.stat`]: `anon 5\ninactive_file ${500 * 1024}\n`,
  };
  const reading = await readingOf(files);
  assert.deepEqual([reading?.totalBytes, reading?.availableBytes], [4000 * 1024, 1500 * 1024]);
});

test('HostMemory.read() of this host is what the kernel says', async () => {
  const reading = await new HostMemory().read();
  assert.ok(reading !== undefined && reading.availableBytes > 0 && reading.availableBytes <= reading.totalBytes);
});

test('memoryCgroups() are the own group and those above, in the tree that has the controller', () => {
  assert.deepEqual(memoryCgroups(v2, '0::/a/b\n').folders, [
    '/sys/fs/cgroup/a/b',
    '/sys/fs/cgroup/a',
    '/sys/fs/cgroup',
  ]);
  const own = '8:memory:/c\n0::/other\n';
  assert.deepEqual(memoryCgroups(v1, own), {
    version: 1,
    folders: ['/sys/fs/cgroup/memory/c', '/sys/fs/cgroup/memory'],
  });
  const inside = '34 30 0:31 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';
  assert.deepEqual(memoryCgroups(inside, '8:memory:/docker/x\n').folders, ['/sys/fs/cgroup/memory']);
  assert.deepEqual(memoryCgroups('', '').folders, []);
});

test('somePressurePercent() reads avg10 of the line some', () => {
  assert.equal(somePressurePercent(pressure), 2.5);
  assert.equal(somePressurePercent(undefined), undefined);
});
