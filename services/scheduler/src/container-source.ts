import type { FunctionVersion } from '@hob/contracts';
import { Container } from './container.ts';
import type { ContainerKind } from './container-driver.ts';
import { kindOf } from './container-kind.ts';
import type { RoomWaiter } from './fleet.ts';
import type { ForkGate } from './fork-gate.ts';
import type { GroupServices } from './group-services.ts';
import type { Pool } from './pool.ts';

/** Where a version's containers come from: the pool, or a fork of its own when there is room for one. */
export class ContainerSource {
  readonly #version: FunctionVersion;
  readonly #services: GroupServices;
  readonly #kind: ContainerKind;
  readonly #forks: ForkGate;

  constructor(version: FunctionVersion, services: GroupServices) {
    this.#version = version;
    this.#services = services;
    this.#kind = kindOf(version.config);
    this.#forks = services.pools.forks(this.#kind);
  }

  /** As many are being forked as are at a time: better wait until some of them are there. */
  get isBusy(): boolean {
    return !this.#forks.isOpen && this.#pool?.hasContainer !== true;
  }

  /** Asks to be told, once, when it is not busy any more. */
  waitForFork(waiter: RoomWaiter): void {
    this.#forks.wait(waiter);
  }

  /** Asks to be told, once, when there is room on this host. */
  waitForRoom(waiter: RoomWaiter): void {
    this.#services.fleet.waitForRoom(waiter);
  }

  /** Whatever it asked for, it is not to be told. */
  forget(waiter: RoomWaiter): void {
    this.#forks.forget(waiter);
    this.#services.fleet.forget(waiter);
  }

  /** A parked container, or one that is yet to be forked; undefined when there is no room for another one on this host. */
  take(): Container | undefined {
    const { env, fleet } = this.#services;
    const parked = this.#pool?.claim();
    if (parked !== undefined) return parked;
    if (!fleet.hasRoom) return undefined;
    const container = new Container(env, this.#kind, this.#version.config.seccomp);
    fleet.add(container);
    return container;
  }

  /** Has a container forked. @throws as `Container.create` */
  fork(container: Container): Promise<void> {
    return this.#forks.pass(() => container.create());
  }

  /** None with a filter of its own, which is installed at the fork and replaced by none: parked containers have hob's. */
  get #pool(): Pool | undefined {
    return this.#version.config.seccomp === undefined ? this.#services.pools.of(this.#kind) : undefined;
  }
}
