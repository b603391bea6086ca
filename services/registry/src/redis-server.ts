import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, realpathSync } from 'node:fs';
import { access, chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '@hob/contracts';
import { RedisTarget } from '@hob/redis';
import type { Logger } from 'pino';
import {
  endLeftovers,
  endOfLog,
  FOLDER_FLAGS,
  ping,
  REDIS_LOG,
  REDIS_SOCKET,
  redisArguments,
  rotateLog,
  withDeathSignal,
} from './redis-process.ts';

export interface RedisServerOptions {
  /** Where its data, log and socket are; made when missing, then readable by its owner only. */
  readonly folder: string;
  readonly log: Logger;
  /** Absolute path of redis-server. Default: /usr/bin/redis-server. */
  readonly binary?: string;
}

/** The kernel's limit for the path of a socket, bytes. */
const SOCKET_PATH_BYTES_MAX = 107;
/** How long a server may take to answer after its start: it reads all its data first. */
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 10_000;
const RESTART_DELAY_MS = 50;
const RESTART_DELAY_MS_MAX = 5_000;
/** A server that ended sooner after its start is as good as one that did not start: its disk may be full. */
const LIFE_MS_MIN = 2_000;
const ROTATE_EVERY_MS = 60_000;

/**
 * A private redis-server: one process, one folder, one socket, no port.
 *
 * Lifecycle: starting ──▶ running ⇄ restarting (it died; it is started again with growing pauses, without end); all ──stop()──▶
 * stopping ──▶ stopped. There is no way back. The server is not a member of this process's group, so Ctrl-C does not end it
 * before those who use it; when this process is killed, it ends in peace by itself.
 */
export class RedisServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #folderFd: number;
  readonly #log: Logger;
  readonly #binary: string;
  readonly #stopping = new AbortController();
  readonly #rotation: NodeJS.Timeout;
  #state: 'starting' | 'running' | 'restarting' | 'stopping' | 'stopped' = 'starting';
  #child: ChildProcess | undefined;
  #restarts = 0;
  #pauseMs = RESTART_DELAY_MS;
  #startedMs = 0;
  #restarting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  private constructor(options: RedisServerOptions) {
    this.#folder = realpathSync(options.folder);
    this.#folderFd = openSync(this.#folder, FOLDER_FLAGS);
    this.#log = options.log;
    this.#binary = options.binary ?? '/usr/bin/redis-server';
    this.#rotation = setInterval(() => void rotateLog(this.#folder).catch(() => {}), ROTATE_EVERY_MS).unref();
  }

  /**
   * Ends what a killed predecessor left running in the folder, starts a server there and waits until it answers.
   *
   * @throws ERR_NATIVE_UNSUPPORTED when there is no redis-server; ERR_REGISTRY_UNAVAILABLE when it does not start, after
   *   which nothing is left running.
   */
  static async start(options: RedisServerOptions): Promise<RedisServer> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    await chmod(options.folder, 0o700);
    const server = new RedisServer(options);
    try {
      for (const pid of await endLeftovers(server.#folder)) {
        options.log.warn({ pid }, 'ended the redis-server of a killed predecessor');
      }
      await server.#launch();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Where clients connect. It stays the same when the server is restarted, and ends to work with `stop`. */
  get socketPath(): string {
    const path = join(this.#folder, REDIS_SOCKET);
    return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX ? path : `/proc/self/fd/${this.#folderFd}/${REDIS_SOCKET}`;
  }

  /** The same for this hob's clients, who may have all of it. */
  get target(): RedisTarget {
    return RedisTarget.parse(this.socketPath);
  }

  /** Pid of the server; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Ends the server in peace: it writes what it has and goes. Stop those who use it first. Every call waits for the same
   * end; it never rejects.
   */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#end());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(): Promise<void> {
    this.#state = 'stopping';
    this.#stopping.abort();
    clearInterval(this.#rotation);
    await this.#restarting;
    await this.#endChild();
    closeSync(this.#folderFd);
    this.#state = 'stopped';
  }

  async #endChild(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await gone;
    clearTimeout(patience);
  }

  /** Starts one process and waits until it answers. On failure no process is left. */
  async #launch(): Promise<void> {
    await rotateLog(this.#folder);
    const child = await this.#spawn();
    this.#child = child;
    const ended = new AbortController();
    child.once('exit', (code, signal) => {
      this.#child = undefined;
      ended.abort();
      this.#died(code, signal);
    });
    const deadlineMs = performance.now() + START_MS_MAX;
    while (!ended.signal.aborted && !this.#stopping.signal.aborted && performance.now() < deadlineMs) {
      if ((await ping(this.socketPath, 1000)) && !ended.signal.aborted && !this.#stopping.signal.aborted) {
        this.#state = 'running';
        this.#startedMs = performance.now();
        return;
      }
      await delay(10, undefined, { signal: ended.signal }).catch(() => {});
    }
    await this.#endChild();
    throw fail('ERR_REGISTRY_UNAVAILABLE', [`redis-server did not start: ${await endOfLog(this.#folder)}`]);
  }

  /** What goes wrong before the server opens its log is written to the same file. */
  async #spawn(): Promise<ChildProcess> {
    const logFd = openSync(join(this.#folder, REDIS_LOG), 'a', 0o600);
    try {
      await access(this.#binary, constants.X_OK);
      const [program = '', ...rest] = await withDeathSignal([this.#binary, ...redisArguments]);
      const child = spawn(program, rest, {
        cwd: this.#folder,
        env: {},
        stdio: ['ignore', logFd, logFd],
        detached: true,
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      return child;
    } catch (cause) {
      const remedy = 'install it with "apt-get install redis-server", or set HOB_REDIS_URL';
      throw fail('ERR_NATIVE_UNSUPPORTED', [`${this.#binary} cannot be run`, remedy], { cause });
    } finally {
      closeSync(logFd);
    }
  }

  #died(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#state !== 'running') return;
    this.#state = 'restarting';
    if (performance.now() - this.#startedMs > LIFE_MS_MIN) this.#pauseMs = RESTART_DELAY_MS;
    this.#restarting = this.#restart({ code, signal });
  }

  /** Tries until a server runs or `stop` is called. Never rejects. */
  async #restart(end: { readonly code: number | null; readonly signal: NodeJS.Signals | null }): Promise<void> {
    const { signal } = this.#stopping;
    this.#log.error({ ...end, said: await endOfLog(this.#folder) }, 'redis-server ended; starting it again');
    while (this.#state === 'restarting') {
      const pauseMs = this.#pauseMs;
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      this.#pauseMs = Math.min(2 * pauseMs, RESTART_DELAY_MS_MAX);
      try {
        this.#restarts += 1;
        await this.#launch();
        this.#log.info({ pid: this.pid, restarts: this.#restarts }, 'redis-server runs again');
      } catch (error) {
        if (!signal.aborted) this.#log.error({ err: error, pauseMs }, 'redis-server could not be started again');
      }
    }
  }
}
