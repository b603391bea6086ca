import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';

/** How long an answer may take, ms. */
const COMMAND_MS_MAX = 5_000;
const RECONNECT_MS_MAX = 500;

const common = {
  retryStrategy: (times: number) => Math.min(10 * 2 ** Math.min(times, 10), RECONNECT_MS_MAX),
  protocol: 2,
  disableClientInfo: true,
} as const;

/** For callers who wait for an answer: every command fails at once while there is no connection, and none is sent twice. */
export function requestClient(target: string, log: Logger): Redis {
  const options = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
  return told(new Redis(target, { ...common, ...options, commandTimeout: COMMAND_MS_MAX }), 'queue', log);
}

/**
 * For the worker, which waits for ever: BullMQ's scripts may be sent twice. It knows the connections that BullMQ makes of it, as
 * BullMQ leaves those behind that have no Redis when it closes.
 */
export class WorkerClient extends Redis {
  readonly #copies: Redis[] = [];

  constructor(target: string, log: Logger) {
    super(target, { ...common, maxRetriesPerRequest: null });
    told(this, 'queue-worker', log);
  }

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = super.duplicate(override);
    this.#copies.push(copy);
    return copy;
  }

  /** Ends it and all that was made of it, whatever they wait for. */
  disconnectAll(): void {
    for (const client of [this, ...this.#copies]) client.disconnect();
  }
}

/** Logs each loss once: the same error comes again with every attempt to connect. */
function told(redis: Redis, connection: string, log: Logger): Redis {
  let last = '';
  redis.on('error', (error: Error) => {
    if (error.message !== last) log.warn({ err: error, connection }, 'Redis connection failed');
    last = error.message;
  });
  redis.on('ready', () => (last = ''));
  return redis;
}
