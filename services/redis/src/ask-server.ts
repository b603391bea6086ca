import { Redis } from 'ioredis';
import type { Credentials, HostPort } from './redis-url.ts';

/** How long a server may take for each of connecting and answering, ms. */
const ANSWER_MS_MAX = 3_000;

/**
 * Asks one server, on a connection that is made for this and not made again.
 *
 * @throws why there is no connection, or what the commands throw.
 */
export async function askServer<T>(
  server: HostPort,
  { tls, credentials }: { readonly tls: boolean; readonly credentials: Credentials },
  commands: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    ...server,
    ...credentials,
    ...(tls && { tls: {} }),
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    protocol: 2,
    disableClientInfo: true,
    connectTimeout: ANSWER_MS_MAX,
    commandTimeout: ANSWER_MS_MAX,
  });
  let refusal: Error | undefined;
  redis.on('error', (error: Error) => (refusal ??= error));
  try {
    return await commands(redis);
  } catch (error) {
    throw refusal ?? error;
  } finally {
    redis.disconnect();
  }
}
