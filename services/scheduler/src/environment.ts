import type { Observer } from '@hob/contracts';
import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import type { SchedulerConfig } from './config.ts';
import type { ContainerDriver } from './container-driver.ts';

/** What every part of one scheduler shares. */
export interface Environment {
  readonly driver: ContainerDriver;
  readonly observer: Observer;
  readonly log: Logger;
  readonly clock: Clock;
  readonly config: SchedulerConfig;
}
