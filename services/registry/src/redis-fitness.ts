import { fail } from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import { ReplyError } from 'ioredis';
import type { Logger } from 'pino';
import type { RedisConnection } from './redis-connection.ts';

/** The oldest Redis that BullMQ recommends, major and minor. hob's own scripts need less. */
const OLDEST_VERSION = [6, 2] as const;
const POLICY = 'noeviction';

/**
 * Refuses a Redis that hob's data is not safe in. What it does not tell, since INFO is not allowed there, is told in the log.
 *
 * @param target what the connection leads to, for messages.
 * @throws ERR_SERVE_REDIS_UNFIT; ERR_REGISTRY_UNAVAILABLE
 */
export async function checkFitness(connection: RedisConnection, target: RedisTarget, log: Logger): Promise<void> {
  // INFO tells the policy too, and is allowed where CONFIG is not, as at most providers.
  const info = await connection.run((redis) =>
    redis.info().catch((error: unknown) => {
      if (!(error instanceof ReplyError)) throw error;
      log.warn({ err: error as Error, server: String(target) }, 'Redis refuses INFO');
      return '';
    }),
  );
  refuseUnfit(info, target, log);
}

/** @param info what Redis answers to INFO. @throws ERR_SERVE_REDIS_UNFIT */
export function refuseUnfit(info: string, target: RedisTarget, log: Logger): void {
  const version = /^redis_version:(?<version>(?<major>\d+)\.(?<minor>\d+)\S*)/m.exec(info)?.groups;
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  const oldest = OLDEST_VERSION.join('.');
  const unknown = [version === undefined && 'its version', policy === undefined && 'its maxmemory-policy'];
  refuseOtherKind(/^redis_mode:(\S+)/m.exec(info)?.[1], target);
  if (unknown.some(Boolean)) {
    const needs = `version ${oldest} or newer, maxmemory-policy ${POLICY}`;
    const server = String(target);
    log.warn(
      { server, unknown: unknown.filter(Boolean), needs },
      'Redis does not tell all that hob needs to know of it',
    );
  }
  if (version !== undefined && isOlder(Number(version['major']), Number(version['minor']))) {
    const what = `${String(target)} has version ${version['version']}`;
    throw fail('ERR_SERVE_REDIS_UNFIT', [what, `use Redis ${oldest} or newer`]);
  }
  if (policy !== undefined && policy !== POLICY) {
    throw fail('ERR_SERVE_REDIS_UNFIT', [
      `${String(target)} has maxmemory-policy ${policy}, by which it deletes functions and accepted events when it is full`,
      `set "maxmemory-policy ${POLICY}" in its redis.conf, and now by "redis-cli config set maxmemory-policy ${POLICY}"`,
    ]);
  }
}

/** A URL that leads to a server of another kind than it says: commands would fail one by one. */
function refuseOtherKind(mode: string | undefined, { location }: RedisTarget): void {
  if (location.kind !== 'server') return;
  if (mode === 'sentinel') {
    const remedy = 'write redis+sentinel:// and, after the hosts, the name of the master';
    throw fail('ERR_SERVE_REDIS_UNFIT', ['HOB_REDIS_URL leads to a Sentinel', remedy]);
  }
  if (mode === 'cluster' && !location.isNode) {
    throw fail('ERR_SERVE_REDIS_UNFIT', ['HOB_REDIS_URL leads to a node of a Cluster', 'write redis+cluster://']);
  }
}

function isOlder(major: number, minor: number): boolean {
  return major < OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1]);
}
