/** What the root half of hob is made of, and nothing of the other half. */
export { type DriverOptions, driverDefaults } from '../driver/driver-options.ts';
export { HostDriver } from '../driver/host-driver.ts';
export { removeDeadInstances } from '../driver/leftovers.ts';
export { acceptedConnection } from './connection.ts';
export { Launcher } from './launcher.ts';
export { LINES_FD, type ServingNote } from './messages.ts';
