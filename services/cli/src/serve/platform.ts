import { join } from 'node:path';
import type { Observer } from '@hob/contracts';
import { combineObservers, createGateway, Metrics } from '@hob/gateway';
import { InvocationQueue, Receipts } from '@hob/queue';
import { DiskBundleStore, RedisLogStore, RedisServer, Registry } from '@hob/registry';
import { type LauncherConnection, RemoteDriver, Scheduler } from '@hob/scheduler';
import { driverDefaults } from '@hob/scheduler/launcher';
import type { Logger } from 'pino';
import { parseListen } from '../address.ts';
import { VERSION } from '../version.ts';
import { bundlesFolder, instanceName } from './launcher-options.ts';
import type { ServeConfig } from './serve-config.ts';

/** Every part of hob, running in this process. */
export interface Platform extends AsyncDisposable {
  /** Base URL of the gateway, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Containers, made by the launcher. */
  readonly driver: RemoteDriver;
}

/** What a platform is started with. */
export interface PlatformOptions {
  readonly config: ServeConfig;
  /** Path of a data folder that is held for this process; see `takeDataFolder`. */
  readonly dataDir: string;
  /** The platform owns it when its driver is there; until then, the caller does. */
  readonly connection: LauncherConnection;
  readonly tokens: { verify(token: string): boolean };
  readonly log: Logger;
  /** What messages to webhooks are signed with. */
  readonly webhookSecret: string | undefined;
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
  const bundles = await DiskBundleStore.open(bundlesFolder(dataDir));
  const registry = started.use(await Registry.open({ redis, bundles, log }));
  const logs = started.use(new RedisLogStore({ redis, log }));
  const metrics = new Metrics({ version: VERSION });
  const receipts = new Receipts();
  const observer = combineObservers(metrics, logObserver(logs, log, receipts));
  const driver = openDriver(options, observer, started);
  const scheduler = startScheduler({ options, driver, bundles, observer }, started);
  const queue = started.use(
    new InvocationQueue({
      redis,
      invoker: scheduler,
      directory: registry,
      receipts,
      load: () => scheduler.load(),
      attempted: (outcome) => metrics.attempted(outcome),
      log,
      config: config.queue,
      drainMs: config.gateway.drainMs,
      webhookSecret: options.webhookSecret,
    }),
  );
  const gateway = started.use(
    await createGateway({
      invoker: scheduler,
      scheduler,
      directory: registry,
      bundles,
      logs,
      queue,
      logger: log,
      tokens,
      metrics,
      ready: () => (registry.available ? options.ready() : 'Redis does not answer'),
      version: VERSION,
      limits: config.gateway,
    }),
  );
  const live = registry.list().map((summary) => summary.live);
  scheduler.started(live);
  await queue.started(live);
  const url = await gateway.listen(parseListen(config.server.listen, 'HOB_LISTEN'));
  const running = started.move();
  return { url, driver, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function startRedis(dataDir: string, log: Logger, started: AsyncDisposableStack): Promise<string> {
  const server = started.use(await RedisServer.start({ folder: join(dataDir, 'redis'), log }));
  return server.socketPath;
}

function openDriver(
  { dataDir, connection }: PlatformOptions,
  observer: Observer,
  started: AsyncDisposableStack,
): RemoteDriver {
  const driver = new RemoteDriver(connection, {
    instance: instanceName(dataDir),
    startTimeoutMs: driverDefaults.startTimeoutMs,
    onZygoteRestart: (memoryMb) => observer.zygoteRestarted({ runtime: 'nodejs24.x', memoryMb }),
  });
  started.defer(() => driver.close());
  return driver;
}

interface SchedulerParts {
  readonly options: PlatformOptions;
  readonly driver: RemoteDriver;
  readonly bundles: DiskBundleStore;
  readonly observer: Observer;
}

function startScheduler(parts: SchedulerParts, started: AsyncDisposableStack): Scheduler {
  const { driver, observer, bundles } = parts;
  const { config, dataDir, log } = parts.options;
  const cacheFolder = join(dataDir, 'cache');
  return started.use(new Scheduler({ driver, bundles, cacheFolder, observer, log, config: config.scheduler }));
}

/** Takes the functions' output to the log store, receipts to who waits for them, and what the operator should know to the log. */
function logObserver(logs: RedisLogStore, log: Logger, receipts: Receipts): Observer {
  return {
    invocationEnded(receipt) {
      receipts.invocationEnded(receipt);
      log.debug(receipt, 'invocation ended');
    },
    log: (line) => logs.append(line),
    containerCreated(event) {
      log.debug(event, 'container created');
    },
    containerDied(event) {
      log.debug(event, 'container died');
    },
    egressDenied(event) {
      log.debug(event, 'egress denied');
    },
    dnsQueries(event) {
      log.trace(event, 'DNS questions');
    },
    zygoteRestarted(event) {
      log.warn(event, 'a zygote died and was started again');
    },
  };
}
