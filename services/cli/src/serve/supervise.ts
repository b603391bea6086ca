import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, fchownSync, lchownSync, mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { dropPath, hostNative } from '@hob/native';
import { Launcher } from '@hob/scheduler/launcher';
import { parseListen } from '../address.ts';
import type { Environment } from '../environment.ts';
import { topFolder } from '../places.ts';
import { refuseClosedCode } from './code-access.ts';
import { type DataFolder, takeDataFolder } from './data-folder.ts';
import { handOver } from './hand-over.ts';
import { bundlesFolder, driverOptions } from './launcher-options.ts';
import { keepToken } from './operator-token.ts';
import { type Serving, tellCut } from './serve.ts';
import { serviceUser, type ServiceUser } from './service-user.ts';
import { type StopReason, StopSignal } from './stop-signal.ts';
import { requireIsolation } from './strict.ts';

/** Ports below this are for processes with a capability. */
const PORT_UNPRIVILEGED_MIN = 1024;
/** What the server gets of the environment beside hob's settings: none of it is a secret of root's. */
const passedOn = /^(?:HOB_.*|PATH|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LANG|LC_.*|TZ|NODE_EXTRA_CA_CERTS|SSL_CERT_.*)$/;

/**
 * The root half of `hob serve`: prepares the data folder, starts the other half as a child that can never be root again, and
 * is its launcher until it ends.
 *
 * When this process dies, the kernel ends the child and the containers.
 *
 * @returns the exit code of the child.
 * @throws ERR_SERVE_LOCKED, ERR_NATIVE_UNSUPPORTED, … when it cannot start; nothing is left running then.
 */
export async function supervise(serving: Serving): Promise<number> {
  const { config, log, tools } = serving;
  const user = serviceUser(config.server.user);
  refuseClosedCode(topFolder, process.argv[1] ?? topFolder, user);
  const server: { child?: ChildProcess } = {};
  using stop = new StopSignal(process, (reason) => {
    server.child?.kill('SIGKILL');
    process.exit(tellCut(reason, log));
  });
  using folder = await takeDataFolder(config.server.dataDir);
  fchownSync(folder.lockFd, user.uid, user.gid);
  handOver(folder.path, user);
  makeBundlesFolder(folder.path, user);
  if (config.server.strict) await requireIsolation(tools.env, config.server.rootfs);
  await using launcher = await Launcher.open({
    driver: driverOptions(config, folder.path),
    containersMax: config.scheduler.containersMax,
    log,
    serving: (note) => keepToken(tools.env, { ...note, dataDir: folder.path, listen: config.server.listen }, log),
  });
  const { child, channel } = startServer(serving, folder, user);
  server.child = child;
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const served = launcher.serve(child.stdio[3] as Socket, channel);
  void stop.asked.then((reason) => child.kill('signal' in reason ? reason.signal : 'SIGKILL'));
  const [code, signal] = await ended;
  await served;
  return code ?? tellSignal(signal, await settled(stop.asked), serving);
}

/** Before the launcher looks at it: under SELinux, what is made in it later gets its label. */
function makeBundlesFolder(dataDir: string, { uid, gid }: ServiceUser): void {
  const folder = bundlesFolder(dataDir);
  if (existsSync(folder)) return;
  mkdirSync(folder, { mode: 0o700 });
  lchownSync(folder, uid, gid);
}

/** What a promise has given by now. */
async function settled<T>(promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([promise, Promise.resolve(undefined)]);
}

/** The server was ended by a signal: by one that it was to stop at, before it could stop in order, or by surprise. */
function tellSignal(signal: NodeJS.Signals | null, asked: StopReason | undefined, { log }: Serving): number {
  if (asked && 'signal' in asked) return asked.signal === signal ? 0 : 1;
  if (asked) log.fatal({ err: asked.error }, 'stopped after an error that nobody caught');
  else log.fatal({ signal }, 'the server was ended by a signal');
  return 1;
}

/** Starts this very command once more, without privileges, in a session of its own: Ctrl-C is for this process. */
function startServer({ tools, config, json }: Serving, folder: DataFolder, user: ServiceUser) {
  const { port } = parseListen(config.server.listen, 'HOB_LISTEN');
  const ports = port > 0 && port < PORT_UNPRIVILEGED_MIN ? 'ports' : 'no-ports';
  const needed = [topFolder, dirname(process.execPath), folder.path];
  const again = [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'serve', ...(json ? ['--json'] : [])];
  const [channel, theirs] = hostNative().channel('packets');
  try {
    const child = spawn(dropPath, [String(user.uid), String(user.gid), ports, ...needed, '--', ...again], {
      cwd: '/',
      detached: true,
      env: {
        ...environmentOf(tools.env),
        HOB_DATA_DIR: folder.path,
        HOB_LAUNCHER: 'inherited',
        HOB_WORKERS: String(config.server.workers),
      },
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', theirs, folder.lockFd],
    });
    child.on('error', () => undefined); // it has no pid then, and `exit` follows
    return { child, channel };
  } finally {
    hostNative().close(theirs);
  }
}

function environmentOf(env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => passedOn.test(name)));
}
