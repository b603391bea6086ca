import { askServer } from './ask-server.ts';
import type { ClusterLocation, HostPort } from './redis-url.ts';

/** Who has one slot of a cluster, and which other servers there are. */
export interface ClusterView {
  /** The master of the slot; undefined when no node has it. */
  readonly owner: HostPort | undefined;
  /** Every node that has slots, and every replica of one. */
  readonly nodes: readonly HostPort[];
}

/** A row of CLUSTER SLOTS: the first and last slot, the master, its replicas. */
type SlotsRow = readonly [first: number, last: number, ...nodes: (readonly [host: string | null, port: number])[]];

/**
 * Asks one node of a cluster.
 *
 * @param key of the slot.
 * @throws what the client throws when the node cannot be reached, or is no node of a cluster.
 */
export async function askNode(
  { tls, credentials }: ClusterLocation,
  node: HostPort,
  key: string,
): Promise<ClusterView> {
  return await askServer(node, { tls, credentials }, async (redis) => {
    const slot = Number(await redis.cluster('KEYSLOT', key));
    return viewOf((await redis.cluster('SLOTS')) as unknown as SlotsRow[], slot, node);
  });
}

function viewOf(rows: readonly SlotsRow[], slot: number, asked: HostPort): ClusterView {
  let owner: HostPort | undefined;
  const nodes = new Map<string, HostPort>();
  for (const [first, last, ...servers] of rows) {
    const [master, ...replicas] = servers.map(([host, port]) => addressOf(host, port, asked));
    for (const each of [master, ...replicas]) if (each) nodes.set(`${each.host} ${each.port}`, each);
    if (slot >= first && slot <= last) owner = master;
  }
  return { owner, nodes: [...nodes.values()] };
}

/** A node that does not know its own host leaves it out: then it is where it was asked. One that nobody knows is called "?". */
function addressOf(host: string | null, port: number, asked: HostPort): HostPort | undefined {
  if (host === '?') return undefined;
  return { host: host === null || host === '' ? asked.host : host, port };
}
