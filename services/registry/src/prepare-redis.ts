import type { Logger } from 'pino';
import { upgradeData } from './data-version.ts';
import { RedisConnection } from './redis-connection.ts';
import { checkFitness } from './redis-fitness.ts';

/**
 * Makes sure that hob can work with a Redis and the data in it, before anything else uses it: refuses a Redis that is too old or
 * may delete data, and data of a newer hob; upgrades data of an older one.
 *
 * @param target `redis://…`, `rediss://…`, or the absolute path of a socket.
 * @throws ERR_SERVE_REDIS_UNFIT, ERR_SERVE_DATA_NEWER, ERR_REGISTRY_UNAVAILABLE
 */
export async function prepareRedis(target: string, log: Logger): Promise<void> {
  const connection = new RedisConnection(target, 'start', log);
  try {
    await checkFitness(connection, log);
    await upgradeData(connection, log);
  } finally {
    connection.close();
  }
}
