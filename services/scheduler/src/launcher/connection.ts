import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fail, isHobError } from '@hob/contracts';
import type { Native } from '@hob/native';
import { CHANNEL_FD, LINES_FD } from './messages.ts';

/** Both ends have this: where lines go, and the channel for descriptors. The receiver owns them. */
export interface LauncherConnection {
  readonly socket: Socket;
  readonly channel: number;
}

const PAUSE_MS = 20;

function overDescriptor(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true });
}

/** The connection that a process was started with, by the launcher itself. */
export function inheritedConnection(): LauncherConnection {
  return { socket: overDescriptor(LINES_FD), channel: CHANNEL_FD };
}

/**
 * The launcher's side of a connection that somebody accepted for it, as systemd does: the client gets its end of a channel.
 *
 * @param uids who may be the client.
 * @throws ERR_LAUNCHER_REFUSED when it is somebody else; ERR_NATIVE_SYSCALL when the descriptor is no unix socket.
 */
export function acceptedConnection(native: Native, fd: number, uids: readonly number[]): LauncherConnection {
  const uid = native.peerUid(fd);
  if (!uids.includes(uid)) throw fail('ERR_LAUNCHER_REFUSED', [`uid ${uid} may not be its client`]);
  const [channel, theirs] = native.channel('packets');
  try {
    native.send(fd, 0, [theirs]);
  } catch (error) {
    native.close(channel);
    throw error;
  } finally {
    native.close(theirs);
  }
  return { socket: overDescriptor(fd), channel };
}

/**
 * Connects to the socket of a launcher. One that still ends what a former client left is waited for.
 *
 * @throws ERR_LAUNCHER_LOST when none takes the connection in time; ERR_NATIVE_SYSCALL when this user may not connect.
 */
export async function connectToLauncher(native: Native, path: string, withinMs: number): Promise<LauncherConnection> {
  const givenUpMs = performance.now() + withinMs;
  for (;;) {
    const fd = tryConnect(native, path);
    const channel = fd === undefined ? undefined : await firstChannel(native, fd, givenUpMs);
    if (fd !== undefined && channel !== undefined) return { socket: overDescriptor(fd), channel };
    if (fd !== undefined) native.close(fd);
    if (performance.now() > givenUpMs) throw fail('ERR_LAUNCHER_LOST', [`no launcher answers at ${path}`]);
    await delay(PAUSE_MS);
  }
}

function tryConnect(native: Native, path: string): number | undefined {
  try {
    return native.connect(path);
  } catch (error) {
    // Not there yet, nobody listens yet, or too many wait.
    if (isHobError(error) && /ENOENT|ECONNREFUSED|EAGAIN/.test(error.message)) return undefined;
    throw error;
  }
}

/** The channel that an accepted connection begins with; undefined when it was closed instead, or nothing comes. */
async function firstChannel(native: Native, fd: number, givenUpMs: number): Promise<number | undefined> {
  while (performance.now() < givenUpMs) {
    const received = native.receive(fd, 1);
    if (received !== undefined) return received?.fds[0];
    await delay(PAUSE_MS);
  }
  return undefined;
}
