import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import { askNode } from './cluster-nodes.ts';
import type { ClusterLocation, HostPort } from './redis-url.ts';

/** What the library takes as `Connector`. */
type ConnectorConstructor = NonNullable<RedisOptions['Connector']>;

/** How long a connection that is given up may take to end in peace, ms. */
const DISCONNECT_MS_MAX = 2_000;

/**
 * Connects to that node of a cluster that has the slot of one key, as the library's own connector does to the master that a
 * Sentinel names: each time anew, when the connection is made. So a client of a cluster is a client of one server, with the same
 * promises about what is sent twice and for how long it waits.
 */
export function clusterConnector(location: ClusterLocation, key: string, pauseMs: number): ConnectorConstructor {
  return class extends AbstractConnector {
    /** The next one to be asked is in front: one that has an old view of the cluster is not asked again at once. */
    #nodes: readonly HostPort[] = location.nodes;

    constructor() {
      super(DISCONNECT_MS_MAX);
    }

    /** @param info what the server says of itself. Only a master takes writes. */
    override check(info: { readonly role?: string }): boolean {
      return info.role === undefined || info.role === 'master';
    }

    /** Tries until there is a node, or nobody wants one any more: the library gives up for good after an error. */
    override async connect(emit: (type: string, error: Error) => void): Promise<Socket> {
      this.connecting = true;
      for (;;) {
        const found = await this.#findOwner().catch((error: unknown) => error as Error);
        if (!this.connecting) throw new Error('Connection is closed.');
        if (!(found instanceof Error)) return this.#open(found);
        emit('error', found);
        await delay(pauseMs);
        if (!this.connecting) throw new Error('Connection is closed.');
      }
    }

    #open(server: HostPort): Socket {
      const stream = location.tls ? connectTls({ ...server }) : connectTcp({ ...server });
      stream.once('error', (error) => (this.firstError = error));
      this.stream = stream;
      return stream;
    }

    async #findOwner(): Promise<HostPort> {
      let last = 'no node has the slot';
      for (const node of this.#nodes) {
        this.#nodes = [...this.#nodes.slice(1), ...this.#nodes.slice(0, 1)];
        try {
          const { owner, nodes } = await askNode(location, node, key);
          this.#nodes = merged(this.#nodes, location.nodes, nodes);
          if (owner !== undefined) return owner;
        } catch (error) {
          last = `${node.host}:${node.port}: ${error instanceof Error ? error.message : String(error)}`;
        }
      }
      throw new Error(`no node of the Redis Cluster says where the keys are (${last})`);
    }
  };
}

/** Those that are known and still named, in their order, and new ones. */
function merged(known: readonly HostPort[], ...named: readonly (readonly HostPort[])[]): HostPort[] {
  const wanted = new Map(named.flat().map((node) => [`${node.host} ${node.port}`, node]));
  const names = new Set([...known.map(({ host, port }) => `${host} ${port}`), ...wanted.keys()]);
  return [...names].flatMap((name) => wanted.get(name) ?? []);
}
