import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { makeCertificates, trust } from './certificates.ts';
import { lastingSettings, RedisProcess } from './redis-process.ts';

const PASSWORD = 'of the nodes:#%';
const SLOTS = 16_384;
const MASTERS = 3;
/** A node that was silent for as long is called down, ms. */
const DOWN_MS = 1000;

/** A Redis Cluster of three masters, and a replica of one of them where a test asks for it. */
export class Cluster implements AsyncDisposable {
  readonly nodes: readonly RedisProcess[];
  readonly #tls: boolean;
  readonly #owned: AsyncDisposable;

  private constructor(nodes: readonly RedisProcess[], tls: boolean, owned: AsyncDisposable) {
    this.nodes = nodes;
    this.#tls = tls;
    this.#owned = owned;
  }

  /** @param spare whether there is a fourth node, without slots. */
  static async start({ tls = false, spare = false }: { tls?: boolean; spare?: boolean } = {}): Promise<Cluster> {
    await using started = new AsyncDisposableStack();
    const folder = started.use(await TemporaryFolder.create('cluster'));
    const certificates = tls ? await makeCertificates(folder.path) : undefined;
    if (certificates !== undefined) started.use(trust(certificates));
    const nodes: RedisProcess[] = [];
    for (let index = 0; index < MASTERS + Number(spare); index += 1) {
      const place = join(folder.path, `${index}`);
      await mkdir(place);
      const bus = [
        '--cluster-enabled',
        'yes',
        '--cluster-port',
        `${await freePort()}`,
        '--cluster-node-timeout',
        `${DOWN_MS}`,
      ];
      const settings = [...bus, ...lastingSettings(PASSWORD)];
      if (tls) settings.push('--tls-cluster', 'yes');
      const options = { port: await freePort(), folder: place, settings, password: PASSWORD, certificates };
      nodes.push(started.use(await RedisProcess.start(options)));
    }
    const cluster = new Cluster(nodes, tls, started.move());
    await cluster.#meet();
    return cluster;
  }

  /** The first host is nobody. */
  get url(): string {
    const user = `default:${encodeURIComponent(PASSWORD)}@`;
    const hosts = this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `redis${this.#tls ? 's' : ''}+cluster://${user}127.0.0.1:1,${hosts}`;
  }

  get passwords(): readonly string[] {
    return [PASSWORD, encodeURIComponent(PASSWORD)];
  }

  /** The master that has the slot of a key. */
  async owner(key: string): Promise<RedisProcess> {
    const slot = Number(await this.#ask('CLUSTER', 'KEYSLOT', key));
    const rows = (await this.#ask('CLUSTER', 'SLOTS')) as [number, number, [string, number, string]][];
    const port = rows.find(([first, last]) => slot >= first && slot <= last)?.[2][1];
    const found = this.nodes.find((node) => node.port === port);
    if (found === undefined) throw new Error(`nobody has the slot of ${key}`);
    return found;
  }

  /** Moves the slot of a key, with all that is in it, as redis-cli does. */
  async moveSlot(key: string, to: RedisProcess): Promise<void> {
    const from = await this.owner(key);
    const slot = Number(await from.run('CLUSTER', 'KEYSLOT', key));
    const [source, target] = [await idOf(from), await idOf(to)];
    await to.run('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source);
    await from.run('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target);
    for (;;) {
      const keys = (await from.run('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[];
      if (keys.length === 0) break;
      await from.run('MIGRATE', '127.0.0.1', to.port, '', 0, 10_000, 'AUTH', PASSWORD, 'KEYS', ...keys);
    }
    for (const node of [to, from, ...this.nodes]) await node.run('CLUSTER', 'SETSLOT', slot, 'NODE', target);
  }

  /** Makes the spare node the replica of another one, and waits until it has everything. */
  async replicate(master: RedisProcess): Promise<RedisProcess> {
    const spare = this.nodes[MASTERS];
    if (spare === undefined) throw new Error('there is no spare node');
    await spare.run('CLUSTER', 'REPLICATE', await idOf(master));
    await until('the replica has everything', async () => Number(await master.run('WAIT', 1, 1000)) === 1);
    await until('all know the replica', async () => {
      const views = await Promise.all(this.nodes.map((node) => node.run('CLUSTER', 'NODES')));
      return views.every((view) => String(view).includes('slave'));
    });
    return spare;
  }

  /** What the first node answers that can. */
  async #ask(command: string, ...args: string[]): Promise<unknown> {
    let last: unknown;
    for (const node of this.nodes) {
      try {
        return await node.run(command, ...args);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  async #meet(): Promise<void> {
    const size = Math.ceil(SLOTS / MASTERS);
    for (const [index, node] of this.nodes.entries()) {
      if (index < MASTERS) {
        const last = Math.min((index + 1) * size, SLOTS) - 1;
        await node.run('CLUSTER', 'ADDSLOTSRANGE', index * size, last);
      }
      const [, bus] = (await busPort(node)) ?? [];
      await this.nodes[0]?.run('CLUSTER', 'MEET', '127.0.0.1', node.port, bus ?? '');
    }
    await until('all nodes know each other', async () => {
      const infos = await Promise.all(this.nodes.map((node) => node.run('CLUSTER', 'INFO')));
      const wanted = [`cluster_known_nodes:${this.nodes.length}`, 'cluster_state:ok', 'cluster_slots_ok:16384'];
      return infos.every((info) => wanted.every((line) => String(info).includes(`${line}\r`)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

async function idOf(node: RedisProcess): Promise<string> {
  return String(await node.run('CLUSTER', 'MYID'));
}

async function busPort(node: RedisProcess): Promise<string[]> {
  return (await node.run('CONFIG', 'GET', 'cluster-port')) as string[];
}
