import { pathToFileURL } from 'node:url';
import { fail } from '@hob/contracts';
import type { Logger } from 'pino';
import { localUrl, parseServerUrl } from '../address.ts';
import { variable } from '../environment.ts';
import { OperatorTokens } from '../operator-tokens.ts';
import type { Tools } from '../tools.ts';
import { takeDataFolder } from './data-folder.ts';
import { startPlatform } from './platform.ts';
import { readServeConfig, type ServeConfig, unknownVariables } from './serve-config.ts';
import { createServerLog } from './server-log.ts';
import { type StopReason, StopSignal } from './stop-signal.ts';
import { TokenStore } from './token-store.ts';

/** What a second signal ends the process with. */
const CUT_EXIT_CODE = 130;

/**
 * Serves until a signal comes, or an error that nobody caught.
 *
 * @param json whether the URL is told as JSON.
 * @returns the exit code: 0 after a signal, 1 after an error.
 * @throws ERR_CONFIG_INVALID, ERR_SERVE_LOCKED, ERR_NATIVE_UNSUPPORTED, ERR_REGISTRY_UNAVAILABLE, … when it cannot start;
 *   nothing is left running then.
 */
export async function serve(tools: Tools, json: boolean): Promise<number> {
  const config = readServeConfig(tools.env);
  if (process.getuid?.() !== 0) throw fail('ERR_NATIVE_UNSUPPORTED', ['hob serve needs root', 'run it as root']);
  const log = createServerLog(tools.terminal, config.server.logLevel);
  for (const name of unknownVariables(tools.env)) log.warn({ variable: name }, 'unknown variable; is it misspelt?');
  log.debug({ config }, 'configuration');
  using stop = new StopSignal(process, (reason) => cut(reason, log));
  const reason = await serveUntilAsked({ tools, config, log, json, asked: stop.asked });
  if ('signal' in reason) return 0;
  log.fatal({ err: reason.error }, 'stopped after an error that nobody caught');
  return 1;
}

interface Serving {
  readonly tools: Tools;
  readonly config: ServeConfig;
  readonly log: Logger;
  readonly json: boolean;
  readonly asked: Promise<StopReason>;
}

async function serveUntilAsked({ tools, config, log, json, asked }: Serving): Promise<StopReason> {
  using folder = await takeDataFolder(config.server.dataDir);
  const tokens = await TokenStore.open(folder.path, variable(tools.env, 'HOB_TOKEN'));
  let notReady: string | undefined = 'hob is starting';
  await using platform = await tools.terminal.progress('starting', () =>
    startPlatform({ config, dataDir: folder.path, tokens, log, ready: () => notReady }),
  );
  const url = clientUrl(platform.url);
  await tokens.save();
  const keptIn = await keepToken(tools, { tokens, url, dataDir: folder.path, log });
  notReady = undefined;
  const token = variable(tools.env, 'HOB_TOKEN') === undefined ? tokens.created : undefined;
  await (json
    ? tools.terminal.json({ url, pid: process.pid, token })
    : tools.terminal.result(greeting(url, token, keptIn)));
  const reason = await asked;
  log.info('signal' in reason ? { signal: reason.signal } : {}, 'stopping: running calls may end');
  return reason;
}

/** The URL that the operator's clients use for a gateway: of an address that stands for all, one that can be reached. */
function clientUrl(gatewayUrl: string): string {
  const { hostname, port } = new URL(gatewayUrl);
  return parseServerUrl(localUrl({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port || 80) }), 'HOB_LISTEN');
}

/** What is said once hob serves. A token that was made now is shown this once. */
function greeting(url: string, token: string | undefined, keptIn: string | undefined): string {
  const shown = token === undefined ? '' : `\ntoken: ${token} (not shown again)`;
  const kept = token === undefined || keptIn === undefined ? '' : `\nkept for your own hob commands in ${keptIn}`;
  return `hob serves at ${url}${shown}${kept}`;
}

interface TokenPlace {
  readonly tokens: TokenStore;
  readonly url: string;
  readonly dataDir: string;
  readonly log: Logger;
}

/** Keeps the token for the operator's own commands, as far as it is known. @returns the file it is in. */
async function keepToken({ env }: Tools, { tokens, url, dataDir, log }: TokenPlace): Promise<string | undefined> {
  const given = variable(env, 'HOB_TOKEN');
  if (given !== undefined && !tokens.verify(given)) {
    log.warn('HOB_TOKEN is not the token of this data folder, which was set at its first start; it is not taken');
  }
  const operator = new OperatorTokens(env);
  const folderUrl = pathToFileURL(dataDir).href;
  try {
    const candidates = [tokens.created, given, await operator.get(folderUrl), await operator.get(url)];
    const token = candidates.find((each) => each !== undefined && tokens.verify(each));
    if (token === undefined) return undefined;
    await operator.set([url, folderUrl], token);
    return operator.path;
  } catch (error) {
    log.warn({ err: error }, 'the token cannot be kept for your own hob commands; give it to them in HOB_TOKEN');
    return undefined;
  }
}

/** Ends at once. What is left of containers is removed by the next start. */
function cut(reason: StopReason, log: Logger): never {
  if ('error' in reason) log.fatal({ err: reason.error }, 'an error while stopping; ending at once');
  else log.fatal({ signal: reason.signal }, 'a second signal; ending at once');
  process.exit('error' in reason ? 1 : CUT_EXIT_CODE);
}
