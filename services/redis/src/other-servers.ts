import { askServer } from './ask-server.ts';
import { askNode } from './cluster-nodes.ts';
import type { RedisTarget } from './redis-target.ts';
import type { ClusterLocation, HostPort, SentinelLocation } from './redis-url.ts';

/**
 * The servers that may come to hold the data of a target in place of the one that does: the replicas that Sentinels know, the nodes
 * of a cluster. That one may be among them.
 *
 * @throws when none of the Sentinels or nodes can be asked.
 */
export async function otherServers(target: RedisTarget): Promise<readonly HostPort[]> {
  const { location } = target;
  if (location.kind === 'sentinel') return firstOf(location.sentinels, (sentinel) => replicas(location, sentinel));
  if (location.kind === 'cluster') return firstOf(location.nodes, (node) => nodes(location, node, target.key('')));
  return [];
}

/** What the first of them says that can be asked. */
async function firstOf<T>(places: readonly HostPort[], ask: (place: HostPort) => Promise<T>): Promise<T> {
  let last: unknown;
  for (const place of places) {
    try {
      return await ask(place);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

async function nodes(location: ClusterLocation, node: HostPort, key: string): Promise<readonly HostPort[]> {
  return (await askNode(location, node, key)).nodes;
}

async function replicas(location: SentinelLocation, sentinel: HostPort): Promise<HostPort[]> {
  const who = { tls: location.tls, credentials: location.sentinelCredentials };
  const rows = (await askServer(sentinel, who, (redis) =>
    redis.call('SENTINEL', 'REPLICAS', location.master),
  )) as string[][];
  return rows.map((row) => {
    const field = (name: string): string => row[row.findIndex((text, at) => at % 2 === 0 && text === name) + 1] ?? '';
    return { host: field('ip'), port: Number(field('port')) };
  });
}
