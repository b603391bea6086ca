import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { clientOptions } from './client-options.ts';
import { hideCommands, tellFailures, watchForSilence } from './client-watch.ts';
import { isElsewhere } from './moved-keys.ts';
import type { RedisTarget } from './redis-target.ts';

/** What `reconnectOnError` gives to have the command sent again on the next connection. */
const RESEND = 2;

/**
 * For the queue's worker, which waits for ever: its commands may be sent twice, and go after their keys. It knows the connections
 * that the queue's library makes of it, as that leaves those behind that have no Redis when it closes.
 */
export class WorkerClient extends Redis {
  readonly #target: RedisTarget;
  readonly #copies: Redis[] = [];

  /** @param name what the log calls the connection. */
  constructor(target: RedisTarget, name: string, log: Logger) {
    super(
      clientOptions(target, {
        maxRetriesPerRequest: null,
        reconnectOnError: (error) => (isElsewhere(error) ? RESEND : false),
      }),
    );
    this.#target = target;
    tellFailures(this, name, log);
    watchForSilence(this, target);
  }

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = super.duplicate(override);
    hideCommands(copy);
    watchForSilence(copy, this.#target);
    this.#copies.push(copy);
    return copy;
  }

  /** Ends it and all that was made of it, whatever they wait for. */
  disconnectAll(): void {
    for (const client of [this, ...this.#copies]) client.disconnect();
  }
}
