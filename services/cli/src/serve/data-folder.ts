import { ftruncateSync, writeSync } from 'node:fs';
import { access, constants, mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '@hob/contracts';
import { type FileLock, tryLock } from '@hob/native';

/** How long a server may take to end whose supervisor was killed, ms. */
const ENDING_MS_MAX = 10_000;
const PAUSE_MS = 20;

/** The data folder of a running server, which no other server may use. */
export interface DataFolder extends Disposable {
  /** Absolute, without links. */
  readonly path: string;
  /** Holds the lock, also for a child that inherits it. */
  readonly lockFd: number;
}

/**
 * Takes a data folder, made if need be, readable by its owner only. Disposing gives it back; so does the end of this process
 * and of those that inherited the lock.
 *
 * @throws ERR_SERVE_LOCKED when another server uses it, and what the file system gives.
 */
export async function takeDataFolder(folder: string): Promise<DataFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await realpath(folder);
  await access(path, constants.W_OK);
  const lock = await takeLock(path);
  // Only for a message: the lock itself is the kernel's, and this number may outlive its process.
  ftruncateSync(lock.fd);
  writeSync(lock.fd, `${process.pid}\n`, 0);
  return { path, lockFd: lock.fd, [Symbol.dispose]: () => lock.release() };
}

/** A server whose supervisor is dead is about to die too: it is waited for. */
async function takeLock(path: string): Promise<FileLock> {
  const givenUpMs = performance.now() + ENDING_MS_MAX;
  for (;;) {
    const lock = tryLock(join(path, 'lock'));
    if (lock !== undefined) return lock;
    const pid = Number.parseInt(await readFile(join(path, 'lock'), 'utf8'), 10);
    if (isAlive(pid) || performance.now() > givenUpMs) throw fail('ERR_SERVE_LOCKED', [path, pid]);
    await delay(PAUSE_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
