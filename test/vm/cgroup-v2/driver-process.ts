/** Run by tests: makes a container, says where it and this process are, and ends when its standard input does. */
import { once } from 'node:events';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { libraryPath } from '@hob/native';
import { driverDefaults, HostDriver } from '@hob/scheduler';
import { startTimeoutMs } from '../../support/patience.ts';

const cgroupOf = (pid: number | 'self'): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim();

const root = realpathSync(join(import.meta.dirname, '../../../.hob/rootfs/current'));
const paths = { root, library: libraryPath, bundles: '/nonexistent' };
const driver = await HostDriver.open({ ...driverDefaults, ...paths, startTimeoutMs, instance: 'placed' });
try {
  const container = await driver.create({ runtime: 'nodejs24.x', memoryMb: 128, network: 'none' });
  console.log(JSON.stringify({ own: cgroupOf('self'), container: cgroupOf(container.pid) }));
  await once(process.stdin.resume(), 'end');
} finally {
  await driver.close();
}
