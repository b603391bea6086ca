import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DiskBundleStore, RedisServer, Registry } from '../../src/index.ts';
import { quiet } from './logger.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

/** A Redis, a bundle store and a registry, all real, in a folder of their own. */
export class RegistryFixture implements AsyncDisposable {
  readonly server: RedisServer;
  readonly bundles: DiskBundleStore;
  readonly bundlesFolder: string;
  #registry: Registry | undefined;
  readonly #folder: AsyncDisposable;

  private constructor(
    folder: AsyncDisposable & { readonly path: string },
    server: RedisServer,
    bundles: DiskBundleStore,
  ) {
    this.#folder = folder;
    this.bundlesFolder = join(folder.path, 'bundles');
    this.server = server;
    this.bundles = bundles;
  }

  static async open(): Promise<RegistryFixture> {
    const folder = await temporaryFolder();
    const server = await RedisServer.start({ folder: join(folder.path, 'redis'), log: quiet });
    const fixture = new RegistryFixture(folder, server, await DiskBundleStore.open(join(folder.path, 'bundles')));
    await fixture.reopen();
    return fixture;
  }

  get registry(): Registry {
    return this.#registry ?? assert.fail('not open');
  }

  /** What hob sees after it was started again. */
  async reopen(): Promise<Registry> {
    await this.#registry?.close();
    this.#registry = await Registry.open({ redis: this.server.target, bundles: this.bundles, log: quiet });
    return this.#registry;
  }

  get redisPid(): number {
    return this.server.pid ?? assert.fail('there is no redis-server');
  }

  async killRedis(): Promise<void> {
    process.kill(this.redisPid, 'SIGKILL');
    await until('the loss of the connection', () => !this.registry.available);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry?.close();
    await this.server.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}
