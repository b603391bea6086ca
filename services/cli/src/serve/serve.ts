import { storageError } from '@hob/contracts';
import type { Logger } from 'pino';
import type { Tools } from '../tools.ts';
import { readServeConfig, type ServeConfig, shownConfig, unknownVariables } from './serve-config.ts';
import { createServerLog } from './server-log.ts';
import type { StopReason } from './stop-signal.ts';

/** What either half of `hob serve` runs with. */
export interface Serving {
  readonly tools: Tools;
  readonly config: ServeConfig;
  readonly log: Logger;
  /** Whether the URL is told as JSON. */
  readonly json: boolean;
}

/** What was asked for by flags. */
export interface ServeFlags {
  readonly json: boolean;
  readonly strict: boolean;
  /** As HOB_WORKERS, unchecked. */
  readonly workers: string | undefined;
}

/** What a second signal ends the process with. */
const CUT_EXIT_CODE = 130;

/**
 * Serves until a signal comes, or an error that nobody caught. Root becomes the launcher and has a process without privileges
 * serve; everybody else needs a launcher that runs already.
 *
 * @param flags `json`: the URL is told as JSON; `strict` and `workers`: as HOB_STRICT and HOB_WORKERS.
 * @returns the exit code: 0 after a signal, 1 after an error.
 * @throws ERR_CONFIG_INVALID, ERR_SERVE_LOCKED, ERR_SERVE_STRICT, ERR_STORAGE_FULL, ERR_STORAGE_FAILED, ERR_NATIVE_UNSUPPORTED,
 *   ERR_REGISTRY_UNAVAILABLE, … when it cannot start; nothing is left running then.
 */
export async function serve(tools: Tools, { json, strict, workers }: ServeFlags): Promise<number> {
  const config = readServeConfig({
    ...tools.env,
    ...(strict && { HOB_STRICT: 'true' }),
    ...(workers !== undefined && { HOB_WORKERS: workers }),
  });
  const log = createServerLog(tools.terminal, config.server.logLevel);
  const serving = { tools, config, log, json };
  try {
    return await serveAsUser(serving);
  } catch (error) {
    throw storageError(error, `the data folder ${config.server.dataDir}`);
  }
}

async function serveAsUser(serving: Serving): Promise<number> {
  if (process.getuid?.() === 0) {
    warnOfUnknown(serving);
    const { supervise } = await import('./supervise.ts');
    return await supervise(serving);
  }
  if (serving.config.server.launcher !== 'inherited') warnOfUnknown(serving);
  const { runServer } = await import('./server.ts');
  return await runServer(serving);
}

function warnOfUnknown({ tools, log, config }: Serving): void {
  for (const name of unknownVariables(tools.env)) log.warn({ variable: name }, 'unknown variable; is it misspelt?');
  log.debug({ config: shownConfig(config) }, 'configuration');
}

/** Says why a process ends at once, whose stop was asked for before. @returns its exit code */
export function tellCut(reason: StopReason, log: Logger): number {
  if ('error' in reason) log.fatal({ err: reason.error }, 'an error while stopping; ending at once');
  else log.fatal({ signal: reason.signal }, 'a second signal; ending at once');
  return 'error' in reason ? 1 : CUT_EXIT_CODE;
}
