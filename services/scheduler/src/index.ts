export type { BundleFolders } from './bundle-code.ts';
export { type Clock, systemClock, type Timer } from './clock.ts';
export { type SchedulerConfig, schedulerConfig, schedulerConfigSchema } from './config.ts';
export type { ContainerDriver, ContainerEvents, ContainerExit, ContainerProcess } from './container-driver.ts';
export { Scheduler, type SchedulerOptions } from './scheduler.ts';
export { type CgroupHost, detectCgroups } from './driver/cgroup-host.ts';
export { type DriverOptions, driverDefaults } from './driver/driver-options.ts';
export { HostDriver } from './driver/host-driver.ts';
