import type { Redis } from 'ioredis';

const BEAT_MS = 1000;
/** How long an answer may take before Redis counts as away. */
const ANSWER_MS_MAX = 2000;

/** Asks Redis every second whether it is there: a connection stays open to a server that answers nothing. */
export class RedisHeartbeat implements Disposable {
  readonly #redis: Redis;
  readonly #timer: NodeJS.Timeout;
  /** Of the oldest question without an answer. */
  #askedMs: number | undefined;

  constructor(redis: Redis) {
    this.#redis = redis;
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
    redis.on('ready', () => (this.#askedMs = undefined));
  }

  /** Whether there is a connection, and Redis answers on it within two seconds. */
  get isThere(): boolean {
    if (this.#redis.status !== 'ready') return false;
    return this.#askedMs === undefined || performance.now() - this.#askedMs <= ANSWER_MS_MAX;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    if (this.#redis.status !== 'ready') return;
    const askedMs = performance.now();
    this.#askedMs ??= askedMs;
    this.#redis.ping().then(
      () => {
        // Answers come in their order, so those before it are there too.
        if (this.#askedMs !== undefined && this.#askedMs <= askedMs) this.#askedMs = undefined;
      },
      () => undefined, // it counts as unanswered until one is answered
    );
  }
}
