import { BOARD_PATH, type BoardAnswer, type QueueBoard } from '@hob/contracts';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { QueueKeys } from '../redis-keys.ts';

export interface QueueBoardOptions {
  readonly redis: Redis;
  readonly keys: QueueKeys;
  /** Runs commands; their failure is ERR_QUEUE_UNAVAILABLE. */
  readonly ask: <T>(commands: () => Promise<T>) => Promise<T>;
}

/** What the pages would have of other hosts: they are to do without. */
const foreignLinks = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/g;

/** bull-board, loaded when somebody looks at it for the first time. */
export class RedisQueueBoard implements QueueBoard, AsyncDisposable {
  readonly #options: QueueBoardOptions;
  #app: Promise<FastifyInstance> | undefined;

  constructor(options: QueueBoardOptions) {
    this.#options = options;
  }

  /** See QueueBoard.read. */
  async read(path: string): Promise<BoardAnswer | undefined> {
    const isFile = path.startsWith('/static/');
    if (!isFile) await this.#redisAnswers();
    const app = await (this.#app ??= this.#open());
    const { statusCode, headers, rawPayload } = await app.inject({ method: 'GET', url: BOARD_PATH + path });
    if (statusCode >= 500) {
      await this.#redisAnswers();
      throw new Error(`the board failed: ${rawPayload.toString('utf8', 0, 1000)}`);
    }
    if (statusCode !== 200) return undefined;
    const contentType = String(headers['content-type'] ?? 'application/octet-stream');
    const isPage = !isFile && contentType.startsWith('text/html');
    const body = isPage ? Buffer.from(rawPayload.toString().replaceAll(foreignLinks, '')) : rawPayload;
    return { contentType, body };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const app = await this.#app?.catch(() => undefined);
    await app?.close();
  }

  #redisAnswers(): Promise<string> {
    const { ask, redis } = this.#options;
    return ask(() => redis.ping());
  }

  async #open(): Promise<FastifyInstance> {
    try {
      const { openBoardApp } = await import('./board-app.ts');
      return await openBoardApp(this.#options.redis, this.#options.keys.bullPrefix);
    } catch (error) {
      this.#app = undefined;
      throw error;
    }
  }
}
