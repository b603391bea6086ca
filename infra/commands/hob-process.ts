/** A `hob serve` of this repository as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LISTEN_DEFAULT = '127.0.0.1:8080';
const READY_WITHIN_MS = 60_000;
const POLL_MS = 50;

/**
 * The URL at which a listening address is reached from this machine.
 *
 * @param listen value of HOB_LISTEN: `host:port`, `[::1]:port`, a port alone, or nothing
 * @throws Error when it is not such an address, or the port is 0, which nobody could call
 */
export function listenUrl(listen: string | undefined): URL {
  const address = listen === undefined || listen === '' ? LISTEN_DEFAULT : listen;
  const url = URL.parse(`http://${/^\d+$/.test(address) ? `127.0.0.1:${address}` : address}`);
  if (url === null || url.pathname !== '/' || url.port === '0') {
    throw new Error(`HOB_LISTEN must be host:port with a port other than 0, not "${address}"`);
  }
  if (url.hostname === '0.0.0.0' || url.hostname === 'localhost') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url;
}

/** Whether something accepts connections at a URL's host and port. */
export async function isTaken(url: URL): Promise<boolean> {
  const socket = connect(Number(url.port === '' ? 80 : url.port), url.hostname.replaceAll(/[[\]]/g, ''));
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Starts in the constructor; the owner ends it with `stop`. */
export class HobProcess {
  readonly #child: ChildProcess;
  /** Exit code, the signal's name, or why it could not be started; resolved when the process is gone. */
  readonly exited: Promise<number | string>;

  /**
   * @param root the repository's top folder
   * @param env environment of `hob serve`
   */
  constructor(root: string, env: NodeJS.ProcessEnv) {
    const main = hobMain(root);
    // In a process group of its own: Ctrl-C in a terminal reaches every process of the group, and hob must get the
    // signal to end once, from `stop`, because it takes a second one for impatience.
    this.#child = spawn(process.execPath, ['--max-semi-space-size=64', main, 'serve'], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
  }

  /**
   * Waits until it answers at /readyz with 200.
   *
   * @throws Error when it ends first, or is not ready within a minute
   */
  async ready(url: URL): Promise<void> {
    let ended: number | string | undefined;
    void this.exited.then((how) => {
      ended = how;
    });
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (performance.now() < deadlineMs) {
      if (ended !== undefined) throw new Error(`hob serve ended with ${ended}; what it said is above`);
      if (await answers(new URL('/readyz', url))) return;
      await sleep(POLL_MS);
    }
    throw new Error(`hob serve was not ready within ${READY_WITHIN_MS / 1000} s`);
  }

  /** Asks it to end: the first time it finishes what it does, the second time it stops at once. */
  stop(): void {
    this.#child.kill('SIGTERM');
  }
}

/** The built `hob` command. @throws Error when it was not built */
export function hobMain(root: string): string {
  const main = join(root, 'services', 'cli', 'dist', 'main.js');
  if (!existsSync(main)) throw new Error(`${main} is missing; try: npm run build`);
  return main;
}

async function answers(url: URL): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
