import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello } from './fakes/programs.ts';

const other = versionOf({ name: 'other' });
const redeployed = versionOf({}, 2);

test('A call of a function whose bundle is damaged is told so, with function, bundle and cure; a new deploy serves', async () => {
  await using bench = await Bench.open(hello);
  bench.damage = '"index.mjs" is not what was deployed';
  const calls = await Promise.all([bench.called(), bench.called(other)]);
  const { digest } = other;
  for (const [at, name] of ['greet', 'other'].entries()) {
    assert.equal(calls[at]?.error?.code, 'ERR_BUNDLE_DAMAGED');
    assert.equal(
      calls[at]?.error?.message,
      `bundle ${digest} of function "${name}": "index.mjs" is not what was deployed; deploy the same content again, which repairs it`,
    );
  }
  await bench.until(() => bench.driver.alive.size === 0, 'no container is left');
  bench.damage = undefined;
  assert.equal((await bench.called(redeployed)).body, 'hello');
});

test('A version of a damaged bundle does not become live', async () => {
  await using bench = await Bench.open(hello);
  bench.damage = 'its manifest is not what was deployed';
  assert.equal((await bench.scheduler.prove(versionOf()))?.error.code, 'ERR_BUNDLE_DAMAGED');
});

test('Code that is missing is damage; what was read before goes on', async () => {
  await using bench = await Bench.open(hello);
  const path = join(bench.folder, 'bundle', 'index.mjs');
  await rename(path, `${path}.away`);
  const call = await bench.called();
  assert.equal(call.error?.code, 'ERR_BUNDLE_DAMAGED');
  assert.match(call.error.message, /there is no index\.mjs/);
  await rename(`${path}.away`, path);
  assert.equal((await bench.called(redeployed)).body, 'hello');
  await rm(path);
  assert.equal((await bench.called(other)).body, 'hello', 'the code of both is the same, and in memory');
});
