import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '@hob/contracts';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { RedisHeartbeat } from './redis-heartbeat.ts';

/** How long a command waits for a connection that is being made again. */
const READY_WAIT_MS = 3_000;
/** How long a command's answer may take. */
const COMMAND_MS_MAX = 5_000;
const RECONNECT_MS_MAX = 500;

/**
 * One connection to Redis on which every command ends within a bounded time, and no command is ever sent twice: one that
 * was on its way when the connection broke fails, and nobody knows whether it was done.
 */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #heartbeat: RedisHeartbeat;
  #ready = Promise.withResolvers<void>();

  /** @param target `redis://…`, `rediss://…`, or the absolute path of a socket. */
  constructor(target: string, name: string, log: Logger) {
    this.#redis = new Redis(target, {
      connectionName: `hob-${name}`,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: READY_WAIT_MS,
      commandTimeout: COMMAND_MS_MAX,
      retryStrategy: (times) => Math.min(10 * 2 ** Math.min(times, 10), RECONNECT_MS_MAX),
      protocol: 2,
      disableClientInfo: true,
    });
    this.#heartbeat = new RedisHeartbeat(this.#redis);
    let lastError = '';
    this.#redis.on('error', (error: Error) => {
      // The same error comes again with every attempt.
      if (error.message !== lastError) log.warn({ err: error, connection: name }, 'Redis connection failed');
      lastError = error.message;
    });
    this.#redis.on('ready', () => {
      lastError = '';
      this.#ready.resolve();
    });
    const again = (): void => {
      // Those who wait look again, and wait for the next connection or give up.
      this.#ready.resolve();
      this.#ready = Promise.withResolvers<void>();
    };
    this.#redis.on('close', again);
    this.#redis.on('end', again);
  }

  /** Whether Redis answers, as far as is known: it is asked every second. */
  get isAnswering(): boolean {
    return this.#heartbeat.isThere;
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Calls back each time that the connection has been made, also for the first time. */
  onReady(listener: () => void): void {
    this.#redis.on('ready', listener);
  }

  /**
   * Runs commands.
   *
   * @throws ERR_REGISTRY_UNAVAILABLE when there is no connection within 3 s, no answer within 5 s, or Redis refuses.
   *   Unless it refused, the command may have been done all the same.
   */
  async run<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    await this.#untilReady();
    try {
      return await commands(this.#redis);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      // A server that is stuck may answer later; what it did meanwhile is learned by connecting again.
      if (why === 'Command timed out') this.#redis.disconnect(true);
      throw fail('ERR_REGISTRY_UNAVAILABLE', [why], { cause });
    }
  }

  /** Cuts the connection for good. Commands on their way fail. */
  close(): void {
    this.#heartbeat[Symbol.dispose]();
    this.#redis.disconnect();
  }

  async #untilReady(): Promise<void> {
    const patience = new AbortController();
    const timeout = delay(READY_WAIT_MS, undefined, { signal: patience.signal, ref: false }).catch(() => {});
    const deadlineMs = performance.now() + READY_WAIT_MS;
    try {
      while (!this.isReady) {
        if (this.#redis.status === 'end' || performance.now() >= deadlineMs) {
          throw fail('ERR_REGISTRY_UNAVAILABLE', ['there is no connection']);
        }
        await Promise.race([this.#ready.promise, timeout]);
      }
    } finally {
      patience.abort();
    }
  }
}
