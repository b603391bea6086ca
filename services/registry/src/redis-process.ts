import { constants } from 'node:fs';
import { access, readFile, readdir, readlink, rename, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Name of the socket in the server's folder, which is its working directory: the kernel takes paths up to 107 bytes. */
export const REDIS_SOCKET = 'redis.sock';
export const REDIS_LOG = 'redis.log';
/** The log is renamed to `redis.log.1` when it is larger than this, so both together are bounded. */
export const REDIS_LOG_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The server's settings: reachable by its socket only, and every write on the disk before it is answered, so that an
 * answered deploy survives the end of everything. Many writes that come together share one `fsync`.
 */
export const redisArguments: readonly string[] = [
  ['--port', '0'],
  ['--unixsocket', REDIS_SOCKET],
  ['--unixsocketperm', '600'],
  ['--dir', '.'],
  ['--logfile', REDIS_LOG],
  ['--daemonize', 'no'],
  ['--always-show-logo', 'no'],
  ['--appendonly', 'yes'],
  ['--appendfsync', 'always'],
  ['--save', ''],
  ['--maxmemory-policy', 'noeviction'],
  // Its command line stays as it was given, so that a leftover is known by it.
  ['--set-proc-title', 'no'],
].flat();

/** Part of util-linux, which every Debian has. */
const SETPRIV = '/usr/bin/setpriv';

/**
 * A command line that runs another one, whose process gets SIGTERM when the thread that started it ends. Without the tool
 * for it, the command line as it is: then `endLeftovers` has to end the process some day.
 */
export async function withDeathSignal(command: readonly string[]): Promise<readonly string[]> {
  const wrapped = [SETPRIV, '--pdeathsig', 'TERM', '--', ...command];
  return await access(SETPRIV, constants.X_OK).then(
    () => wrapped,
    () => command,
  );
}

/** How long a leftover may take to end in peace, and then to be gone after SIGKILL. */
const LEFTOVER_MS_MAX = 10_000;

/** Moves the log aside when it is large. The server opens it anew for every line. */
export async function rotateLog(folder: string): Promise<void> {
  const log = join(folder, REDIS_LOG);
  const { size } = await stat(log).catch(() => ({ size: 0 }));
  if (size > REDIS_LOG_BYTES_MAX) await rename(log, `${log}.1`);
}

/** The end of the log, for a message; '' when there is none. */
export async function endOfLog(folder: string): Promise<string> {
  const text = await readFile(join(folder, REDIS_LOG), 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-3).join(' / ').slice(-500);
}

/**
 * Asks a server whether it is ready.
 *
 * @param withinMs how long an answer may take.
 * @returns true after `PONG`; false for any other answer (it still loads its data) or none.
 */
export function ping(socketPath: string, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath });
    let answer = '';
    const settle = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(withinMs, () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.includes('\r\n')) settle(answer.startsWith('+PONG'));
    });
    socket.write('PING\r\n');
  });
}

/** Ends servers that a killed predecessor left in a folder, and waits until they are gone. @returns their pids. */
export async function endLeftovers(folder: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && (await servesFrom(pid, folder))) pids.push(pid);
  }
  await Promise.all(pids.map((pid) => endProcess(pid, folder)));
  return pids;
}

/** Whether a process is a server that this module started in a folder; false when it is gone or a zombie. */
async function servesFrom(pid: number, folder: string): Promise<boolean> {
  try {
    const [program = '', ...rest] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (!basename(program).startsWith('redis-server') || !rest.join('\0').includes(redisArguments.join('\0')))
      return false;
    return (await readlink(`/proc/${pid}/cwd`)) === folder;
  } catch {
    return false; // It ended meanwhile, or belongs to somebody else.
  }
}

async function endProcess(pid: number, folder: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await servesFrom(pid, folder))) return;
    try {
      process.kill(pid, signal);
    } catch {
      return; // It ended by itself just now.
    }
    const deadlineMs = performance.now() + LEFTOVER_MS_MAX;
    while (performance.now() < deadlineMs && (await servesFrom(pid, folder))) await delay(10);
  }
}

/** Open a folder so that paths below it can be written `/proc/self/fd/<fd>/…`. */
export const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;
