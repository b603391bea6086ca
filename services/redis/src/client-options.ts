import type { RedisOptions } from 'ioredis';
import { clusterConnector } from './cluster-connector.ts';
import type { RedisTarget } from './redis-target.ts';

/** Options of a client whose answers have the types that the library's methods say. */
type ClientOptions = RedisOptions & { readonly replyMapping?: 'legacy' };

const RECONNECT_MS_MAX = 500;
/** How long a connection may take to be made, ms. */
const CONNECT_MS_MAX = 10_000;
/** How long a Sentinel may take to say who the master is, ms. */
const SENTINEL_MS_MAX = 3_000;

const common: ClientOptions = {
  retryStrategy: (times) => Math.min(10 * 2 ** Math.min(times, 10), RECONNECT_MS_MAX),
  protocol: 2,
  disableClientInfo: true,
};

/**
 * What every client of a target has in common: where it connects, as whom, and how often it tries.
 *
 * @param more what this one has besides.
 */
export function clientOptions(target: RedisTarget, more: ClientOptions): ClientOptions {
  // To a socket there is a connection at once or none; a limit would only tell of a process that had no time to look.
  const connectTimeout = target.location.kind === 'socket' ? 0 : CONNECT_MS_MAX;
  return Object.assign(reach(target), common, { connectTimeout }, more);
}

function reach(target: RedisTarget): ClientOptions {
  const { location } = target;
  switch (location.kind) {
    case 'socket':
      return { path: location.path, db: location.db, ...location.credentials };
    case 'server':
      return { ...location.at, db: location.db, ...location.credentials, ...(location.tls && { tls: {} }) };
    case 'sentinel': {
      const { sentinels, master, db, tls, credentials, sentinelCredentials } = location;
      return {
        sentinels: [...sentinels],
        name: master,
        db,
        ...credentials,
        sentinelUsername: sentinelCredentials.username,
        sentinelPassword: sentinelCredentials.password,
        sentinelCommandTimeout: SENTINEL_MS_MAX,
        sentinelRetryStrategy: () => RECONNECT_MS_MAX,
        ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
      };
    }
    default: {
      const Connector = clusterConnector(location, target.key(''), RECONNECT_MS_MAX);
      return { Connector, ...location.credentials, ...(location.tls && { tls: {} }) };
    }
  }
}
