import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libraryPath } from '@hob/native';
import { driverDefaults } from '@hob/scheduler';
import { root } from './peers/container-peers.ts';
import { measureSteps } from './step-times.ts';

test('each step of a create is noted once for each container', async () => {
  const paths = { root, library: libraryPath, bundles: '/nonexistent' };
  const times = await measureSteps({ ...driverDefaults, ...paths, instance: `steps-${process.pid}` }, 2);

  assert.ok(times.size > 10, `${times.size} steps`);
  assert.deepEqual(new Set([...times.values()].map(({ length }) => length)), new Set([2]));
});
