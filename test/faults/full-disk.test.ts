import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FunctionSummary, InvocationRecord } from '@hob/contracts';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { problem } from '../support/http-call.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const DISK_MB = 24;
const ASSET_BYTES = 2 * 1024 * 1024;
const ASYNC = { headers: { 'hob-invocation-type': 'async' }, body: JSON.stringify({ name: 'x'.repeat(2000) }) };

/** A function with a bundle of some megabytes. */
async function largeFunction(folder: string): Promise<string> {
  const path = join(folder, 'large');
  await mkdir(path);
  await writeFile(join(path, 'hob.json'), JSON.stringify({ name: 'large', memoryMb: 128, assets: ['large.bin'] }));
  await writeFile(join(path, 'index.ts'), 'export default () => new Response("large");\n');
  await writeFile(join(path, 'large.bin'), randomBytes(ASSET_BYTES));
  return path;
}

/** Has calls accepted until one is not. @returns the ids, and how the last one was answered. */
async function acceptUntilRefused(hob: HobServer, ids: string[]): Promise<string> {
  return until('an asynchronous call is refused', async () => {
    const answer = await hob.fn('hello', ASYNC);
    if (answer.status !== 202) return problem(answer);
    ids.push((JSON.parse(answer.body.toString()) as { id: string }).id);
    return undefined;
  });
}

async function succeeded(hob: HobServer, id: string): Promise<boolean> {
  const record = (await hob.control(`invocations/${id}`)) as InvocationRecord;
  return record.status === 'succeeded';
}

test('On a full disk what is loaded is called, deploys and asynchronous calls get a coded error, and all is well once there is room', async () => {
  await using folder = await TemporaryFolder.create('full-disk');
  await using disk = await SmallDisk.mount(DISK_MB);
  await using hob = await HobServer.create({ dataDir: disk.dataDir });
  await hob.deploy(exampleFolder('hello'));
  const large = await largeFunction(folder.path);
  const call = async (): Promise<number> => (await hob.fn('hello', { body: '{"name":"Ada"}' })).status;
  assert.equal(await call(), 200);
  const ids: string[] = [];

  disk.fill();
  const deploy = await hob.hob(['deploy', large, '--json']);
  assert.equal(deploy.exitCode, 1);
  assert.match(deploy.stderr, /"ERR_STORAGE_FULL"/);
  const bundles = join(hob.dataDir, 'bundles');
  assert.equal((await readdir(bundles)).length, 1, 'nothing of the deploy is left');
  assert.equal(await acceptUntilRefused(hob, ids), '503 ERR_QUEUE_UNAVAILABLE');
  for (let count = 0; count < 20; count += 1) assert.equal(await call(), 200);

  disk.makeRoom();
  await until('an asynchronous call is accepted', async () => {
    const answer = await hob.fn('hello', ASYNC);
    if (answer.status === 202) ids.push((JSON.parse(answer.body.toString()) as { id: string }).id);
    return answer.status === 202;
  });
  for (const id of ids) await until(`${id} succeeds`, () => succeeded(hob, id));
  await until('the function is deployed', async () => (await hob.hob(['deploy', large])).exitCode === 0);
  assert.equal((await hob.fn('large')).body.toString(), 'large');

  // As full again, also when hob is killed and is to start.
  disk.fill();
  await acceptUntilRefused(hob, ids);
  await hob.kill();
  await hob
    .start()
    .catch((error: unknown) =>
      assert.match(String(error), /\((?:ERR_STORAGE_FULL|ERR_REGISTRY_UNAVAILABLE|ERR_QUEUE_UNAVAILABLE)\)/),
    );
  await hob.stop();
  disk.makeRoom();
  await hob.start();
  const functions = (await hob.control('functions')) as FunctionSummary[];
  assert.deepEqual(
    functions.map(({ name }) => name),
    ['hello', 'large'],
  );
  for (const id of ids) await until(`${id} succeeds`, () => succeeded(hob, id));
  assert.equal(await call(), 200);
  assert.equal((await readdir(bundles)).length, 2);
  assert.equal(await hob.stop(), 0, hob.output);
});
