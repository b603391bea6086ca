import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Observer } from '@hob/contracts';
import { combineObservers, createGateway, type Gateway, Metrics } from '@hob/gateway';
import { InvocationQueue, Receipts } from '@hob/queue';
import type { RedisTarget } from '@hob/redis';
import {
  DiskBundleStore,
  prepareRedis,
  RedisLogStore,
  RedisServer,
  Registry,
  type SecretKeySource,
  SecretStore,
} from '@hob/registry';
import { type LauncherConnection, RemoteDriver, Scheduler } from '@hob/scheduler';
import type { Logger } from 'pino';
import { type ListenAddress, parseListen } from '../address.ts';
import type { Environment } from '../environment.ts';
import { VERSION } from '../version.ts';
import { bundlesFolder, instanceName } from './launcher-options.ts';
import { foreignRedis, type ServeConfig } from './serve-config.ts';
import { GATEWAY_SOCKET, sharedAddress, WorkerProcesses } from './worker-processes.ts';

const COLLECT_EVERY_MS = 60_000;

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
  readonly env: Environment;
  /** Path of a data folder that is held for this process; see `takeDataFolder`. */
  readonly dataDir: string;
  /** The platform owns it when its driver is there; until then, the caller does. */
  readonly connection: LauncherConnection;
  readonly tokens: { verify(token: string): boolean; readonly hashes: readonly string[] };
  readonly secretKeys: SecretKeySource;
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
  const { config, dataDir, tokens, secretKeys, log } = options;
  await using started = new AsyncDisposableStack();
  const redis = foreignRedis(config) ?? (await startRedis(dataDir, log, started));
  await prepareRedis(redis, log);
  const bundles = await DiskBundleStore.open(bundlesFolder(dataDir));
  const registry = started.use(await Registry.open({ redis, bundles, versionsKept: config.server.versionsKept, log }));
  const secrets = started.use(await SecretStore.open({ redis, keys: secretKeys, log }));
  const logs = started.use(new RedisLogStore({ redis, log }));
  const metrics = new Metrics({ version: VERSION });
  const receipts = new Receipts();
  const observer = combineObservers(metrics, logObserver(logs, log, receipts));
  const driver = openDriver(options, observer, started);
  const scheduler = startScheduler({ options, driver, bundles, secrets, observer }, started);
  const queue = started.use(
    new InvocationQueue({
      redis,
      invoker: scheduler,
      directory: registry,
      receipts,
      load: () => scheduler.load(),
      observer: metrics,
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
      secrets,
      bundles,
      logs,
      queue,
      logger: log,
      tokens,
      metrics,
      ready: () => (registry.available && queue.available ? options.ready() : 'Redis does not answer'),
      version: VERSION,
      limits: config.gateway,
    }),
  );
  collectBundles(registry, scheduler, { log, started });
  scheduler.started(registry.list().flatMap(({ name }) => registry.inService(name)));
  await queue.started(registry.list().flatMap(({ live }) => live ?? []));
  const address = parseListen(config.server.listen, 'HOB_LISTEN');
  const url =
    config.server.workers === 1
      ? await gateway.listen(address)
      : await startWorkers({ options, gateway, registry, metrics, address: await sharedAddress(address) }, started);
  const running = started.move();
  return { url, driver, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Removes bundles that nothing refers to any more: now those that a killed hob left, and then from time to time. */
function collectBundles(
  registry: Registry,
  scheduler: Scheduler,
  { log, started }: { readonly log: Logger; readonly started: AsyncDisposableStack },
): void {
  const collect = (): void => {
    registry
      .collect((digest) => scheduler.usesBundle(digest))
      .catch((error: unknown) => log.warn({ err: error }, 'bundles that nothing refers to could not be removed'));
  };
  collect();
  const timer = setInterval(collect, COLLECT_EVERY_MS);
  started.defer(() => clearInterval(timer));
}

async function startRedis(dataDir: string, log: Logger, started: AsyncDisposableStack): Promise<RedisTarget> {
  const server = started.use(await RedisServer.start({ folder: join(dataDir, 'redis'), log }));
  return server.target;
}

function openDriver(
  { config, dataDir, connection }: PlatformOptions,
  observer: Observer,
  started: AsyncDisposableStack,
): RemoteDriver {
  const driver = new RemoteDriver(connection, {
    instance: instanceName(dataDir),
    startTimeoutMs: config.scheduler.startTimeoutMs,
    onZygoteRestart: (memoryMb) => observer.zygoteRestarted({ runtime: 'nodejs24.x', memoryMb }),
  });
  started.defer(() => driver.close());
  return driver;
}

interface SchedulerParts {
  readonly options: PlatformOptions;
  readonly driver: RemoteDriver;
  readonly bundles: DiskBundleStore;
  readonly secrets: SecretStore;
  readonly observer: Observer;
}

function startScheduler(parts: SchedulerParts, started: AsyncDisposableStack): Scheduler {
  const { driver, observer, bundles, secrets } = parts;
  const { config, dataDir, log } = parts.options;
  const cacheFolder = join(dataDir, 'cache');
  return started.use(new Scheduler({ driver, bundles, secrets, cacheFolder, observer, log, config: config.scheduler }));
}

interface WorkerParts {
  readonly options: PlatformOptions;
  readonly gateway: Gateway;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly address: ListenAddress;
}

/** Has workers listen in the place of the gateway, which answers them on a socket of the data folder. @returns the base URL. */
async function startWorkers(parts: WorkerParts, started: AsyncDisposableStack): Promise<string> {
  const { options, gateway, registry, metrics, address } = parts;
  const { config, env, dataDir, tokens, log } = options;
  rmSync(join(dataDir, GATEWAY_SOCKET), { force: true });
  // The path of the folder may be too long for a socket's.
  const folder = openSync(dataDir, constants.O_RDONLY | constants.O_DIRECTORY);
  started.defer(() => closeSync(folder));
  await gateway.listen({ path: `/proc/self/fd/${folder}/${GATEWAY_SOCKET}` });
  const workers = new WorkerProcesses({
    count: config.server.workers,
    env,
    dataDir,
    address,
    limits: config.gateway,
    tokens: tokens.hashes,
    gateway,
    metrics,
    log,
  });
  // Together: what workers have passed on ends with the gateway, and the gateway waits for their calls.
  started.defer(async () => void (await Promise.all([gateway.close(), workers.close()])));
  registry.follow((record) => workers.tell(record));
  await workers.start();
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `http://${host}:${address.port}`;
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
    preloaded(event) {
      log.debug(event, 'a container was loaded in advance');
    },
    zygoteRestarted(event) {
      log.warn(event, 'a zygote died and was started again');
    },
  };
}
