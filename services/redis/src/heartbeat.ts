import type { Redis } from 'ioredis';

const BEAT_MS = 1_000;

/**
 * Asks a server every second whether it is there, until its client has ended: a connection stays open to one that answers nothing.
 * Commands are answered in their order, so one that waits for something counts as silence.
 */
export class Heartbeat {
  /** Since when there has been a question without an answer, monotonic ms. */
  #askedMs: number | undefined;
  #isAsking = false;

  /** @param silentMsMax after so long a silence the client connects anew, perhaps to another server, ms. */
  constructor(redis: Redis, silentMsMax = Infinity) {
    const timer = setInterval(() => {
      if (redis.status !== 'ready') return;
      if (this.silentMs > silentMsMax) redis.disconnect(true);
      else if (!this.#isAsking) this.#ask(redis);
    }, BEAT_MS).unref();
    redis.on('close', () => {
      this.#askedMs = undefined;
      this.#isAsking = false;
    });
    redis.on('end', () => clearInterval(timer));
  }

  /** For how long it has not answered, ms; 0 when it owes no answer. */
  get silentMs(): number {
    return this.#askedMs === undefined ? 0 : performance.now() - this.#askedMs;
  }

  #ask(redis: Redis): void {
    this.#isAsking = true;
    this.#askedMs ??= performance.now();
    redis.ping().then(
      () => {
        this.#askedMs = undefined;
        this.#isAsking = false;
      },
      () => (this.#isAsking = false), // it is asked again, and is silent until then
    );
  }
}
