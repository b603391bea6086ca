import { setFlagsFromString } from 'node:v8';
import { type HobError, isHobError } from '@hob/contracts';
import { hostNative } from '@hob/native';
import { connectToLauncher, inheritedConnection, type LauncherConnection } from '@hob/scheduler';
import { localUrl, parseServerUrl } from '../address.ts';
import { variable } from '../environment.ts';
import { type DataFolder, takeDataFolder } from './data-folder.ts';
import { startPlatform } from './platform.ts';
import { openSecretKeys } from './secret-key.ts';
import { type Serving, tellCut } from './serve.ts';
import { type StopReason, StopSignal } from './stop-signal.ts';
import { TokenStore } from './token-store.ts';

/** How long a launcher may take to be there, or to have ended what a former server left, ms. */
const LAUNCHER_MS_MAX = 30_000;
/** How long the process may take to end when there is nothing left to do, ms. */
const END_MS_MAX = 2000;
/**
 * Bodies are bytes outside of V8's heap. It would collect the whole heap for every 60 MB of them, which is more work than all
 * else that is done for large bodies; so they count as the heap does, which is collected when it has grown by a factor.
 */
const BODIES_COUNT_AS_HEAP = '--external-memory-accounted-in-global-limit';

/**
 * The half of `hob serve` without privileges: gateway, scheduler, registry and a private Redis. Its containers are made by
 * the launcher; when that ends, it ends too.
 *
 * @returns the exit code: 0 after a signal, 1 after an error.
 */
export async function runServer(serving: Serving): Promise<number> {
  const { log } = serving;
  setFlagsFromString(BODIES_COUNT_AS_HEAP);
  // What is left of containers ends with the launcher's connection.
  using stop = new StopSignal(process, (reason) => process.exit(tellCut(reason, log)));
  const reason = await serveUntilAsked(serving, stop.asked);
  const code = 'signal' in reason ? 0 : 1;
  // All is closed, but the queue's library leaves timers behind that had no Redis.
  setTimeout(() => process.exit(code), END_MS_MAX).unref();
  if ('signal' in reason) return code;
  const isLost = isHobError(reason.error) && reason.error.code === 'ERR_LAUNCHER_LOST';
  log.fatal(
    { err: reason.error },
    isLost ? 'stopped: there is no launcher any more' : 'stopped after an error that nobody caught',
  );
  return code;
}

async function serveUntilAsked(serving: Serving, asked: Promise<StopReason>): Promise<StopReason> {
  const { tools, config, log } = serving;
  const isInherited = config.server.launcher === 'inherited';
  using folder = isInherited ? held(config.server.dataDir) : await takeDataFolder(config.server.dataDir);
  const connection = isInherited
    ? inheritedConnection()
    : await connectToLauncher(hostNative(), config.server.launcher, LAUNCHER_MS_MAX);
  using _ = closing(connection);
  const tokens = await TokenStore.open(folder.path, variable(tools.env, 'HOB_TOKEN'));
  const secretKeys = await openSecretKeys(folder.path, tools.env);
  const webhookSecret = variable(tools.env, 'HOB_WEBHOOK_SECRET');
  let notReady: string | undefined = 'hob is starting';
  await using platform = await tools.terminal.progress('starting', () =>
    startPlatform({
      config,
      env: tools.env,
      dataDir: folder.path,
      connection,
      tokens,
      secretKeys,
      webhookSecret,
      log,
      ready: () => notReady,
    }),
  );
  const url = clientUrl(platform.url);
  await tokens.save();
  const keptIn = await platform.driver.serving({
    url,
    ...(tokens.created === undefined ? {} : { token: tokens.created }),
  });
  notReady = undefined;
  await greet(serving, { url, token: tokens.created, keptIn, pid: isInherited ? process.ppid : process.pid });
  const reason = await Promise.race([asked, platform.driver.lost.then((error: HobError) => ({ error }))]);
  log.info('signal' in reason ? { signal: reason.signal } : {}, 'stopping: running calls may end');
  return reason;
}

/** The data folder of the root half, which holds the lock. */
function held(path: string): Pick<DataFolder, 'path'> & Disposable {
  return { path, [Symbol.dispose]: () => undefined };
}

function closing({ socket }: LauncherConnection): Disposable {
  return { [Symbol.dispose]: () => void socket.destroy() };
}

/** The URL that the operator's clients use for a gateway: of an address that stands for all, one that can be reached. */
function clientUrl(gatewayUrl: string): string {
  const { hostname, port } = new URL(gatewayUrl);
  return parseServerUrl(localUrl({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port || 80) }), 'HOB_LISTEN');
}

interface Greeting {
  readonly url: string;
  /** The process to be told to stop. */
  readonly pid: number;
  /** Made now. It is shown this once, unless the operator has given it. */
  readonly token: string | undefined;
  readonly keptIn: string | undefined;
}

async function greet({ tools, json }: Serving, { url, pid, token: created, keptIn }: Greeting): Promise<void> {
  const token = variable(tools.env, 'HOB_TOKEN') === undefined ? created : undefined;
  if (json) {
    await tools.terminal.json({ url, pid, token });
    return;
  }
  const shown = token === undefined ? '' : `\ntoken: ${token} (not shown again)`;
  const kept = token === undefined || keptIn === undefined ? '' : `\nkept for your own hob commands in ${keptIn}`;
  await tools.terminal.result(`hob serves at ${url}${shown}${kept}`);
}
