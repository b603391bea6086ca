import { asHobError } from '@hob/contracts';
import { otherServers, type RedisTarget } from '@hob/redis';
import type { Logger } from 'pino';
import { upgradeData } from './data-version.ts';
import { RedisConnection } from './redis-connection.ts';
import { checkFitness } from './redis-fitness.ts';
import { registryKeys } from './redis-keys.ts';

/**
 * Makes sure that hob can work with a Redis and the data in it, before anything else uses it: refuses a Redis that is too old or
 * may delete data, and data of a newer hob; upgrades data of an older one. Servers that may come to hold the data are checked too,
 * where they can be reached.
 *
 * @throws ERR_SERVE_REDIS_UNFIT, ERR_SERVE_DATA_NEWER, ERR_REGISTRY_UNAVAILABLE
 */
export async function prepareRedis(target: RedisTarget, log: Logger): Promise<void> {
  const connection = new RedisConnection(target, 'start', log);
  try {
    await checkFitness(connection, target, log);
    await checkOthers(target, log);
    await upgradeData(connection, registryKeys(target), log);
  } finally {
    connection.close();
  }
}

/** @throws ERR_SERVE_REDIS_UNFIT, after all that can be reached have been asked. */
async function checkOthers(target: RedisTarget, log: Logger): Promise<void> {
  const servers = await otherServers(target).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, 'it is not known which other Redis may come to hold the data');
    return [];
  });
  const checks = await Promise.allSettled(servers.map((server) => checkAlone(target.at(server), log)));
  for (const check of checks) if (check.status === 'rejected') throw check.reason;
}

async function checkAlone(server: RedisTarget, log: Logger): Promise<void> {
  const connection = new RedisConnection(server, 'start', log);
  try {
    await checkFitness(connection, server, log);
  } catch (error) {
    const { code, message } = asHobError(error);
    if (code !== 'ERR_REGISTRY_UNAVAILABLE') throw error;
    log.warn(
      { server: String(server), reason: message },
      'a Redis that may come to hold the data could not be checked',
    );
  } finally {
    connection.close();
  }
}
