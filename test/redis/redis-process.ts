import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { Certificates } from './certificates.ts';
import { until } from '../support/until.ts';

const SAID_CHARACTERS_MAX = 4096;

export interface RedisProcessOptions {
  readonly port: number;
  /** Its working directory. */
  readonly folder: string;
  /** Further arguments, after `redis-server`; the first may be a file of settings. */
  readonly settings: readonly string[];
  /** What the test's own commands say who they are with. */
  readonly password?: string | undefined;
  /** It then takes nothing but TLS. */
  readonly certificates?: Certificates | undefined;
}

/** Of a server that keeps its data, wants a password, and gives the same one to its master. */
export function lastingSettings(password: string): string[] {
  return ['--requirepass', password, '--masterauth', password, '--save', '', '--appendonly', 'yes'];
}

/** A redis-server on a port of the loopback, killed when disposed. */
export class RedisProcess implements AsyncDisposable {
  readonly port: number;
  readonly #options: RedisProcessOptions;
  #child: ChildProcess | undefined;
  /** The end of what it said, for the message when it does not start. */
  #said = '';

  private constructor(options: RedisProcessOptions) {
    this.port = options.port;
    this.#options = options;
  }

  /** Resolved when it answers. */
  static async start(options: RedisProcessOptions): Promise<RedisProcess> {
    const server = new RedisProcess(options);
    await server.start();
    return server;
  }

  /** Starts it again on the same port, with what is in its folder. */
  async start(): Promise<void> {
    const { port, folder, settings, certificates } = this.#options;
    const listen = certificates === undefined ? ['--port', `${port}`] : ['--port', '0', '--tls-port', `${port}`];
    const tls = certificates?.settings ?? [];
    const args = [...settings, ...listen, ...tls, '--bind', '127.0.0.1', '--dir', folder];
    const child = spawn('/usr/bin/redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'], cwd: folder });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_CHARACTERS_MAX);
    });
    await until(`redis-server on port ${port} answers`, async () => {
      const end = child.exitCode ?? child.signalCode;
      if (end !== null) throw new Error(`redis-server ended with ${end}:\n${this.#said}`);
      return (await this.run('PING').catch(() => undefined)) === 'PONG';
    });
  }

  /** One command, on a connection of its own. */
  async run(command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const { port, password, certificates } = this.#options;
    const redis = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: null,
      enableReadyCheck: false,
      protocol: 2,
      disableClientInfo: true,
      ...(password !== undefined && { password }),
      ...(certificates && { tls: { ca: certificates.authority } }),
    });
    redis.on('error', () => undefined); // The command fails too.
    try {
      return await redis.call(command, ...args);
    } finally {
      redis.disconnect();
    }
  }

  /** Has it answer nothing until it is killed. */
  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
