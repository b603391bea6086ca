import { fstatSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { fail } from '@hob/contracts';
import { hostNative } from '@hob/native';
import { acceptedConnection, Launcher, LINES_FD } from '@hob/scheduler/launcher';
import type { Tools } from '../tools.ts';
import { driverOptions } from './launcher-options.ts';
import { keepToken } from './operator-token.ts';
import { readServeConfig } from './serve-config.ts';
import { tellCut } from './serve.ts';
import { createServerLog } from './server-log.ts';
import { serviceUser } from './service-user.ts';
import { StopSignal } from './stop-signal.ts';
import { requireIsolation } from './strict.ts';

/**
 * The launcher as a service of its own: serves the client whose accepted connection it was started with, until that is gone.
 *
 * A first signal does not end it, because its client may be stopping in order at the same time; a second one cuts.
 *
 * @returns the exit code.
 * @throws ERR_LAUNCHER_REFUSED when it was started otherwise, or by a client who is not the user that serves.
 */
export async function launch(tools: Tools): Promise<number> {
  const config = readServeConfig(tools.env);
  const log = createServerLog(tools.terminal, config.server.logLevel);
  if (process.getuid?.() !== 0) throw fail('ERR_NATIVE_UNSUPPORTED', ['hob launcher needs root', 'run it as root']);
  if (!isSocket(LINES_FD)) {
    throw fail('ERR_LAUNCHER_REFUSED', [`descriptor ${LINES_FD} is no connection; systemd starts it with one`]);
  }
  using stop = new StopSignal(process, (reason) => process.exit(tellCut(reason, log)));
  void stop.asked.then((reason) => log.info(reason, 'to end with its client'));
  const dataDir = await realpath(config.server.dataDir);
  const { socket, channel } = acceptedConnection(hostNative(), LINES_FD, [0, serviceUser(config.server.user).uid]);
  if (config.server.strict) await requireIsolation(tools.env, config.server.rootfs);
  await using launcher = await Launcher.open({
    driver: driverOptions(config, dataDir),
    containersMax: config.scheduler.containersMax,
    log,
    serving: (note) => keepToken(tools.env, { ...note, dataDir, listen: config.server.listen }, log),
  });
  await launcher.serve(socket, channel);
  return 0;
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
