import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, type Observer } from '@hob/contracts';
import { combineObservers, createGateway, Metrics } from '@hob/gateway';
import { libraryPath } from '@hob/native';
import { DiskBundleStore, RedisLogStore, RedisServer, Registry } from '@hob/registry';
import { driverDefaults, HostDriver, Scheduler } from '@hob/scheduler';
import type { Logger } from 'pino';
import { parseListen } from '../address.ts';
import { VERSION } from '../version.ts';
import type { ServeConfig } from './serve-config.ts';

/** Every part of hob, running in this process. */
export interface Platform extends AsyncDisposable {
  /** Base URL of the gateway, such as `http://127.0.0.1:8080`. */
  readonly url: string;
}

/** What a platform is started with. */
export interface PlatformOptions {
  readonly config: ServeConfig;
  /** Path of a data folder that this process holds; see `takeDataFolder`. */
  readonly dataDir: string;
  readonly tokens: { verify(token: string): boolean };
  readonly log: Logger;
  /** Why calls cannot be served yet, though all parts run; undefined when they can. */
  readonly ready: () => string | undefined;
}

/**
 * Starts every part in the order of its needs: Redis, registry, containers, gateway. Disposing ends them in reverse: the
 * gateway stops accepting and drains, containers and zygotes end, Redis goes last.
 *
 * @throws what the failing part throws; those that had been started are ended before.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { config, dataDir, tokens, log } = options;
  await using started = new AsyncDisposableStack();
  const redis = config.server.redisUrl ?? (await startRedis(dataDir, log, started));
  const bundles = await DiskBundleStore.open(join(dataDir, 'bundles'));
  const registry = started.use(await Registry.open({ redis, bundles, log }));
  const logs = started.use(new RedisLogStore({ redis, log }));
  const metrics = new Metrics({ version: VERSION });
  const observer = combineObservers(metrics, logObserver(logs, log));
  const scheduler = await startScheduler({ options, bundles, observer }, started);
  const gateway = started.use(
    await createGateway({
      invoker: scheduler,
      scheduler,
      directory: registry,
      bundles,
      logs,
      logger: log,
      tokens,
      metrics,
      ready: () => (registry.available ? options.ready() : 'Redis does not answer'),
      version: VERSION,
      limits: config.gateway,
    }),
  );
  const url = await gateway.listen(parseListen(config.server.listen, 'HOB_LISTEN'));
  const running = started.move();
  return { url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function startRedis(dataDir: string, log: Logger, started: AsyncDisposableStack): Promise<string> {
  const server = started.use(await RedisServer.start({ folder: join(dataDir, 'redis'), log }));
  return server.socketPath;
}

interface SchedulerParts {
  readonly options: PlatformOptions;
  readonly bundles: DiskBundleStore;
  readonly observer: Observer;
}

async function startScheduler(parts: SchedulerParts, started: AsyncDisposableStack): Promise<Scheduler> {
  const { observer, bundles } = parts;
  const { config, dataDir, log } = parts.options;
  const root = config.server.rootfs;
  if (!existsSync(root)) {
    throw fail('ERR_NATIVE_UNSUPPORTED', [`there is no root filesystem at ${root}`, 'run "npm start" once']);
  }
  const driver = await HostDriver.open(
    {
      ...driverDefaults,
      root,
      instance: instanceName(dataDir),
      library: libraryPath,
      pidsMax: config.scheduler.pidsMax,
    },
    (memoryMb) => observer.zygoteRestarted({ runtime: 'nodejs24.x', memoryMb }),
  );
  started.defer(() => driver.close());
  const cacheFolder = join(dataDir, 'cache');
  return started.use(new Scheduler({ driver, bundles, cacheFolder, observer, log, config: config.scheduler }));
}

/** Names the cgroups of a server: equal in each of its runs, and different from those of other data folders. */
function instanceName(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
}

/** Takes the functions' output to the log store, and what the operator should know to the server's log. */
function logObserver(logs: RedisLogStore, log: Logger): Observer {
  return {
    invocationEnded(receipt) {
      log.debug(receipt, 'invocation ended');
    },
    log: (line) => logs.append(line),
    containerCreated(event) {
      log.debug(event, 'container created');
    },
    containerDied(event) {
      log.debug(event, 'container died');
    },
    zygoteRestarted(event) {
      log.warn(event, 'a zygote died and was started again');
    },
  };
}
