import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { type Certificates, makeCertificates, trust } from './certificates.ts';
import { lastingSettings, RedisProcess } from './redis-process.ts';

/** What the Sentinel calls the master. */
const NAME = 'the-master';
const PASSWORD = 'of the servers/@?';
const SENTINEL_PASSWORD = 'of the Sentinel & co';
/** A Sentinel calls a server down that was silent for as long, ms. */
const DOWN_MS = 500;

/** A master, a replica and a Sentinel that watches them, each with a password. */
export class SentinelSet implements AsyncDisposable {
  readonly servers: readonly RedisProcess[];
  readonly sentinel: RedisProcess;
  readonly #tls: boolean;
  readonly #owned: AsyncDisposable;

  private constructor(servers: readonly RedisProcess[], sentinel: RedisProcess, tls: boolean, owned: AsyncDisposable) {
    this.servers = servers;
    this.sentinel = sentinel;
    this.#tls = tls;
    this.#owned = owned;
  }

  static async start({ tls = false }: { tls?: boolean } = {}): Promise<SentinelSet> {
    await using started = new AsyncDisposableStack();
    const folder = started.use(await TemporaryFolder.create('sentinel'));
    const certificates = tls ? await makeCertificates(folder.path) : undefined;
    if (certificates !== undefined) started.use(trust(certificates));
    const servers: RedisProcess[] = [];
    for (const name of ['one', 'two']) {
      const place = join(folder.path, name);
      await mkdir(place);
      const of = servers[0] === undefined ? [] : ['--replicaof', '127.0.0.1', `${servers[0].port}`];
      const settings = [...lastingSettings(PASSWORD), ...of];
      const options = { port: await freePort(), folder: place, settings, password: PASSWORD, certificates };
      servers.push(started.use(await RedisProcess.start(options)));
    }
    const sentinel = started.use(await startSentinel(folder.path, servers[0]?.port ?? 0, certificates));
    const set = new SentinelSet(servers, sentinel, tls, started.move());
    await until('the Sentinel knows the replica', async () => (await set.#replicas()).length === 1);
    await set.replicated();
    return set;
  }

  /** The first host is nobody. */
  get url(): string {
    const user = `:${encodeURIComponent(PASSWORD)}@`;
    const query = `sentinel_password=${encodeURIComponent(SENTINEL_PASSWORD)}`;
    const hosts = `127.0.0.1:1,127.0.0.1:${this.sentinel.port}`;
    return `redis${this.#tls ? 's' : ''}+sentinel://${user}${hosts}/${NAME}/2?${query}`;
  }

  get passwords(): readonly string[] {
    return [PASSWORD, SENTINEL_PASSWORD].flatMap((password) => [password, encodeURIComponent(password)]);
  }

  /** The one that the Sentinel calls the master. */
  async master(): Promise<RedisProcess> {
    const [, port] = (await this.sentinel.run('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
    const found = this.servers.find((server) => server.port === Number(port));
    if (found === undefined) throw new Error(`nobody has port ${port}`);
    return found;
  }

  /** Waits until the replica has all that the master has. */
  async replicated(): Promise<void> {
    const master = await this.master();
    await until('the replica has everything', async () => Number(await master.run('WAIT', 1, 1000)) === 1);
  }

  /** Waits until another one is the master. */
  async failedOver(before: RedisProcess): Promise<RedisProcess> {
    return until('another one is the master', async () => {
      const master = await this.master();
      if (master === before) return undefined;
      const [role] = (await master.run('ROLE')) as [string];
      return role === 'master' && master;
    });
  }

  /** Has the Sentinel make another one the master. @returns its answer, which may be a refusal. */
  async failOver(): Promise<unknown> {
    return this.sentinel.run('SENTINEL', 'FAILOVER', NAME).catch((error: unknown) => error);
  }

  async #replicas(): Promise<unknown[]> {
    return (await this.sentinel.run('SENTINEL', 'REPLICAS', NAME)) as unknown[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

async function startSentinel(folder: string, masterPort: number, certificates: Certificates | undefined) {
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 1`,
    `sentinel auth-pass ${NAME} "${PASSWORD}"`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_MS}`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const settings = [file, '--sentinel', '--requirepass', SENTINEL_PASSWORD];
  return RedisProcess.start({ port: await freePort(), folder, settings, password: SENTINEL_PASSWORD, certificates });
}
