import { fail, LIVE_ALIAS } from '@hob/contracts';
import type { Logger } from 'pino';
import type { RedisConnection } from './redis-connection.ts';
import type { RegistryKeys } from './redis-keys.ts';
import { changed, WHOLE_WEIGHT } from './stored-alias.ts';

/**
 * What makes data of version `index` data of the next one. A step may be cut off in the middle, done again, and done by two
 * hobs at the same time; the version is written after it.
 */
const UPGRADES: readonly ((connection: RedisConnection, keys: RegistryKeys) => Promise<void>)[] = [adoptLive];

/** The version of the data that this hob reads and writes. Data without a version, of a hob that gave none, is of version 0. */
const DATA_VERSION = UPGRADES.length;

/** KEYS: version. ARGV: what it must be now, or '0' for none; what it is to be. */
const ADVANCE = `if (redis.call('GET', KEYS[1]) or '0') == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end`;

/**
 * Upgrades the data in Redis, step by step, to the version that this hob knows; an empty Redis gets that version.
 *
 * @throws ERR_SERVE_DATA_NEWER, after which the data is as it was; ERR_REGISTRY_UNAVAILABLE
 */
export async function upgradeData(connection: RedisConnection, keys: RegistryKeys, log: Logger): Promise<void> {
  for (;;) {
    const stored = (await connection.run((redis) => redis.get(keys.dataVersion))) ?? '0';
    const version = /^\d+$/.test(stored) ? Number(stored) : Number.NaN;
    if (version === DATA_VERSION) return;
    const upgrade = UPGRADES[version];
    if (upgrade === undefined) throw fail('ERR_SERVE_DATA_NEWER', [stored, DATA_VERSION]);
    await upgrade(connection, keys);
    await connection.run((redis) => redis.eval(ADVANCE, 1, keys.dataVersion, stored, version + 1));
    log.info({ from: version, to: version + 1 }, 'the data in Redis has a new version');
  }
}

/** Makes an alias of the number of the live version, which was with the name of the function. */
async function adoptLive(connection: RedisConnection, keys: RegistryKeys): Promise<void> {
  const functions = await connection.run((redis) => redis.hgetall(keys.functions));
  for (const [name, live] of Object.entries(functions)) {
    const version = Number(live);
    if (!(version > 0)) continue;
    const alias = changed(LIVE_ALIAS, undefined, { weights: [{ version, weight: WHOLE_WEIGHT }] });
    await connection.run((redis) => redis.hsetnx(keys.aliases(name), LIVE_ALIAS, JSON.stringify(alias)));
  }
}
