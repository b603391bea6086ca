import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { serverPid } from '../support/processes.ts';
import { SmallDisk } from '../support/small-disk.ts';

const ASYNC = { headers: { 'hob-invocation-type': 'async' }, body: '{"name":"Ada"}' };
const DISK_MB = 24;

test('A data folder that cannot be written to is a coded error at the start, and hob starts when it can be', async () => {
  await using disk = await SmallDisk.mount(DISK_MB);
  await using hob = await HobServer.create({ dataDir: disk.dataDir });
  await hob.deploy(exampleFolder('hello'));
  assert.equal(await hob.stop(), 0, hob.output);
  await disk.setWritable(false);
  await assert.rejects(hob.start(), new RegExp(`${disk.dataDir} cannot be written: EROFS \\(ERR_STORAGE_FAILED\\)`));
  assert.equal(await hob.ended(), 1);
  await disk.setWritable(true);
  await hob.start();
  assert.equal((await hob.fn('hello', { body: '{"name":"Ada"}' })).status, 200);
  assert.equal(await hob.stop(), 0, hob.output);
});

test('When bundles become read-only deploys get a coded error, all calls go on, and a deploy works when they are no more', async () => {
  await using disk = await SmallDisk.mount(DISK_MB);
  await using hob = await HobServer.create({ dataDir: disk.dataDir });
  await hob.deploy(exampleFolder('hello'));
  const bundles = join(hob.dataDir, 'bundles');
  // The kernel makes nothing read-only that is open for writing, but for a broken disk; so a mount is put over the one folder.
  const inServer = (...command: string[]) => execa('nsenter', ['-t', `${serverPid(hob.pid)}`, '-m', '--', ...command]);
  await inServer('mount', '--bind', bundles, bundles);
  try {
    await inServer('mount', '-o', 'remount,bind,ro', bundles);
    const deploy = await hob.hob(['deploy', exampleFolder('stream'), '--json']);
    assert.equal(deploy.exitCode, 1);
    assert.match(deploy.stderr, /"ERR_STORAGE_FAILED"/);
    assert.equal((await hob.fn('hello', { body: '{"name":"Ada"}' })).status, 200);
    assert.equal((await hob.fn('hello', ASYNC)).status, 202);
  } finally {
    await inServer('umount', bundles);
  }
  await hob.deploy(exampleFolder('stream'));
  assert.equal((await hob.fn('stream?count=1&intervalMs=1')).status, 200);
  assert.equal(await hob.stop(), 0, hob.output);
});
