import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUNDLE_CODE, checkFunctionConfig } from '@hob/contracts';
import { FunctionTable } from '../src/function-table.ts';
import { addBundle } from './support/bundle.ts';
import { RegistryFixture } from './support/registry-fixture.ts';

const code = { [BUNDLE_CODE]: 'export default () => new Response("1");' };

test('Registry.follow keeps a copy the same, and every change waits until the listener is done', async () => {
  await using fixture = await RegistryFixture.open();
  const { registry, bundles } = fixture;
  const deploy = async (name: string) => registry.deploy(checkFunctionConfig({ name }), await addBundle(bundles, code));
  await deploy('old');
  const copy = new FunctionTable();
  let done = 0;
  registry.follow(async (record) => {
    copy.replace(record);
    await new Promise((resolve) => setImmediate(resolve));
    done += 1;
  });
  assert.deepEqual(copy.list(), registry.list());
  await deploy('old');
  await deploy('new');
  assert.equal(done, 3);
  assert.deepEqual(copy.list(), registry.list());
  assert.deepEqual(copy.resolve('old', 1), registry.resolve('old', 1));
  await registry.promote('old', 2);
  await registry.setAlias('old', 'next', { weights: [{ version: 1, weight: 100 }] });
  assert.equal(done, 5);
  assert.deepEqual(copy.list(), registry.list());
  assert.deepEqual(copy.resolve('old', 'next'), registry.resolve('old', 1));
  await registry.remove('old');
  assert.equal(done, 6);
  assert.deepEqual(copy.list(), registry.list());
  assert.throws(() => copy.resolve('old', undefined), { code: 'ERR_FN_NOT_FOUND' });
});
