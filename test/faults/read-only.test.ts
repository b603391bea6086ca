import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { InvocationRecord } from '@hob/contracts';
import { execa } from 'execa';
import { BreakableDisk } from '../support/breakable-disk.ts';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { type Answer, call, problem } from '../support/http-call.ts';
import { isRunning, serverPid, signal } from '../support/processes.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { partsOf } from './hob-parts.ts';

const BODY = '{"name":"Ada"}';
const ASYNC = { headers: { 'hob-invocation-type': 'async' }, body: BODY };
const KEYED = { headers: { ...ASYNC.headers, 'idempotency-key': 'k' }, body: BODY };
const DISK_MB = 24;
const BREAKABLE_DISK_MB = 64;

/**
 * Makes a folder read-only for the server of a hob and what it starts, and the files below it that are not open yet. The kernel makes nothing
 * read-only that is open for writing, but for a broken disk; so a mount is put over the folder, which ends with the server.
 *
 * @returns what makes it writable again.
 */
async function makeReadOnly(hob: HobServer, folder: string): Promise<() => Promise<void>> {
  const inServer = (...command: string[]) => execa('nsenter', ['-t', `${serverPid(hob.pid)}`, '-m', '--', ...command]);
  await inServer('mount', '--bind', folder, folder);
  await inServer('mount', '-o', 'remount,bind,ro', folder);
  return async () => void (await inServer('mount', '-o', 'remount,bind,rw', folder));
}

async function deployCode(hob: HobServer, example: string): Promise<string | undefined> {
  const { exitCode, stderr } = await hob.hob(['deploy', exampleFolder(example), '--json']);
  assert.equal(exitCode, 1);
  return /"code":"(\w+)"/.exec(stderr)?.[1];
}

async function succeeds(hob: HobServer, answer: Answer): Promise<void> {
  assert.equal(answer.status, 202, answer.body.toString());
  const { id } = JSON.parse(answer.body.toString()) as { id: string };
  await until(`${id} succeeds`, async () => {
    const record = (await hob.control(`invocations/${id}`)) as InvocationRecord;
    return record.status === 'succeeded';
  });
}

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
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'));
  const makeWritable = await makeReadOnly(hob, join(hob.dataDir, 'bundles'));
  assert.equal(await deployCode(hob, 'stream'), 'ERR_STORAGE_FAILED');
  assert.equal((await hob.fn('hello', { body: BODY })).status, 200);
  await succeeds(hob, await hob.fn('hello', ASYNC));
  await makeWritable();
  await hob.deploy(exampleFolder('stream'));
  assert.equal((await hob.fn('stream?count=1&intervalMs=1')).status, 200);
  assert.equal(await hob.stop(), 0, hob.output);
});

test('When the whole data folder becomes read-only calls go on, nothing else is accepted, and all goes on by itself when it is no more', async () => {
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'));
  const sync = async () => (await hob.fn('hello', { body: BODY })).status;
  const isReady = async () => (await call(`${hob.url}/readyz`)).status === 200;
  const before = await hob.fn('hello', ASYNC);
  assert.equal(await sync(), 200);

  const makeWritable = await makeReadOnly(hob, hob.dataDir);
  // It has its files open for writing: those stay writable, other than on a disk that breaks.
  for (const redis of partsOf(hob.pid, 'redis')) signal(redis.pid, 'SIGKILL');
  await until('hob is not ready', async () => !(await isReady()));
  for (let count = 0; count < 20; count += 1) assert.equal(await sync(), 200);
  for (const kind of [ASYNC, KEYED]) assert.equal(problem(await hob.fn('hello', kind)), '503 ERR_QUEUE_UNAVAILABLE');
  assert.equal(await deployCode(hob, 'stream'), 'ERR_STORAGE_FAILED');
  assert.equal(await deployCode(hob, 'hello'), 'ERR_REGISTRY_UNAVAILABLE', 'its bundle is there');
  assert.equal(await sync(), 200);
  assert.equal(await isReady(), false);

  await makeWritable();
  await until('hob is ready', isReady);
  for (const kind of [ASYNC, KEYED]) await succeeds(hob, await hob.fn('hello', kind));
  await succeeds(hob, before);
  await hob.deploy(exampleFolder('stream'));
  assert.equal((await hob.fn('stream?count=1&intervalMs=1')).status, 200);
  assert.equal(await hob.stop(), 0, hob.output);
});

test('When the disk of the data folder breaks Redis ends by itself, calls go on, nothing else is accepted, and nothing is lost when it is repaired', async () => {
  await using disk = await BreakableDisk.mount(BREAKABLE_DISK_MB);
  await using hob = await HobServer.create({ dataDir: disk.dataDir });
  await hob.deploy(exampleFolder('hello'));
  const sync = async () => (await hob.fn('hello', { body: BODY })).status;
  const isReady = async () => (await call(`${hob.url}/readyz`)).status === 200;
  const before = await hob.fn('hello', KEYED);
  await succeeds(hob, before);
  assert.equal(await sync(), 200);
  const redis = partsOf(hob.pid, 'redis');
  assert.equal(redis.length, 1);

  await disk.break();
  await until('an event is refused', async () => problem(await hob.fn('hello', ASYNC)) === '503 ERR_QUEUE_UNAVAILABLE');
  await until('Redis has ended', () => redis.every((part) => !isRunning(part)));
  await until('hob is not ready', async () => !(await isReady()));
  for (let count = 0; count < 20; count += 1) assert.equal(await sync(), 200);
  for (const kind of [ASYNC, KEYED]) assert.equal(problem(await hob.fn('hello', kind)), '503 ERR_QUEUE_UNAVAILABLE');
  assert.equal(await deployCode(hob, 'stream'), 'ERR_STORAGE_FAILED');
  assert.equal(await hob.stop(), 0, hob.output);

  await disk.repair();
  await hob.start();
  assert.equal(await sync(), 200);
  const again = await hob.fn('hello', KEYED);
  assert.deepEqual(JSON.parse(again.body.toString()), JSON.parse(before.body.toString()), 'it was answered before');
  await succeeds(hob, before);
  await succeeds(hob, await hob.fn('hello', ASYNC));
  await hob.deploy(exampleFolder('stream'));
  assert.equal(await hob.stop(), 0, hob.output);
});
