import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '@hob/contracts';
import { RequestClient, type RedisTarget } from '@hob/redis';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';

/** How long a command waits for a connection that is being made again. */
const READY_WAIT_MS = 3_000;

/**
 * One connection to Redis on which every command ends within a bounded time, and no command is ever done twice: one that
 * was on its way when the connection broke fails, and nobody knows whether it was done.
 */
export class RedisConnection {
  readonly #redis: RequestClient;
  #ready = Promise.withResolvers<void>();

  constructor(target: RedisTarget, name: string, log: Logger) {
    this.#redis = new RequestClient(target, name, log);
    this.#redis.on('ready', () => this.#ready.resolve());
    const again = (): void => {
      // Those who wait look again, and wait for the next connection or give up.
      this.#ready.resolve();
      this.#ready = Promise.withResolvers<void>();
    };
    this.#redis.on('close', again);
    this.#redis.on('end', again);
  }

  /** Whether Redis answers, as far as is known. */
  get isAnswering(): boolean {
    return this.#redis.isAnswering;
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
   * @param commands may be run again when a server has refused one of them since its keys are at another one.
   * @throws ERR_REGISTRY_UNAVAILABLE when there is no connection within 3 s, no answer within 5 s, or Redis refuses.
   *   Unless it refused, the command may have been done all the same.
   */
  async run<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    await this.#untilReady();
    try {
      return await this.#redis.follow(() => commands(this.#redis));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      // A server that is stuck may answer later; what it did meanwhile is learned by connecting again.
      if (why === 'Command timed out') this.#redis.disconnect(true);
      throw fail('ERR_REGISTRY_UNAVAILABLE', [why], { cause });
    }
  }

  /** Cuts the connection for good. Commands on their way fail. */
  close(): void {
    this.#redis.disconnect();
  }

  async #untilReady(): Promise<void> {
    const patience = new AbortController();
    const timeout = delay(READY_WAIT_MS, undefined, { signal: patience.signal, ref: false }).catch(() => {});
    const deadlineMs = performance.now() + READY_WAIT_MS;
    try {
      while (!this.isReady) {
        if (this.#redis.status === 'end' || performance.now() >= deadlineMs) {
          const { failure } = this.#redis;
          const why = failure === undefined ? '' : `: ${failure}`;
          throw fail('ERR_REGISTRY_UNAVAILABLE', [`there is no connection${why}`]);
        }
        await Promise.race([this.#ready.promise, timeout]);
      }
    } finally {
      patience.abort();
    }
  }
}
