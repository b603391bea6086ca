import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { libraryPath } from '@hob/native';
import { type DriverOptions, driverDefaults } from '@hob/scheduler/launcher';
import type { ServeConfig } from './serve-config.ts';
import { serviceUser } from './service-user.ts';

/** Where a data folder has its bundles. */
export function bundlesFolder(dataDir: string): string {
  return join(dataDir, 'bundles');
}

/** Names the cgroups of a server: equal in each of its runs, and different from those of other data folders. */
export function instanceName(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
}

/**
 * What the launcher makes containers with.
 *
 * @param dataDir absolute path without links.
 */
export function driverOptions(config: ServeConfig, dataDir: string): DriverOptions {
  return {
    ...driverDefaults,
    root: config.server.rootfs,
    instance: instanceName(dataDir),
    bundles: bundlesFolder(dataDir),
    library: libraryPath,
    startTimeoutMs: config.scheduler.startTimeoutMs,
    pidsMax: config.scheduler.pidsMax,
    egress: config.egress,
    accountUid: serviceUser(config.server.user).uid,
  };
}
