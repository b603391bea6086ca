import { join } from 'node:path';
import { Client } from 'undici';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { type Measurement, quantiles } from './measurement.ts';
import { ContainerPeers } from './peers/container-peers.ts';
import { PeerProgram } from './peers/peer-program.ts';
import { serverIn } from './peers/served-container.ts';

const CALLS = 30;
/** Deployed by one `hob deploy`: it takes longer than the calls. */
const DEPLOYED_TOGETHER = 10;
const MEMORY_MB = 256;
const source = `export default (): Response => Response.json({ hello: 'world' });\n`;

interface Stats {
  readonly pools: readonly { readonly creating: number; readonly parked: number; readonly min: number }[];
}

/** The pool at rest: as full as it is kept, nothing being made. */
async function poolAtRest(hob: HobServer): Promise<void> {
  await until('the pool is at rest', async () => {
    const { pools } = (await hob.control('stats')) as Stats;
    return pools.every(({ creating, parked, min }) => creating === 0 && parked >= min);
  });
}

/** Deploys functions that nobody has called, one after another, and times the first call of each. */
class FirstCalls implements AsyncDisposable {
  readonly samples: number[] = [];
  readonly #hob: HobServer;
  readonly #folder: TemporaryFolder;
  readonly #client: Client;
  readonly #start: 'pool' | 'cold';
  readonly #ready: string[] = [];
  #deployed = 0;

  private constructor(hob: HobServer, folder: TemporaryFolder, start: 'pool' | 'cold') {
    this.#hob = hob;
    this.#folder = folder;
    this.#start = start;
    this.#client = new Client(hob.url);
  }

  /** @param start `cold` keeps the pool empty. */
  static async create(start: 'pool' | 'cold'): Promise<FirstCalls> {
    const poolSize = start === 'pool' ? {} : { HOB_POOL_MIN: '0', HOB_POOL_MAX: '0' };
    const hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn', ...poolSize } });
    const self = new FirstCalls(hob, await TemporaryFolder.create('first-call'), start);
    await self.#call(await self.#next()); // boots the zygote
    return self;
  }

  async measure(): Promise<void> {
    const name = await this.#next();
    await poolAtRest(this.#hob);
    this.samples.push(await this.#call(name));
  }

  async #next(): Promise<string> {
    if (this.#ready.length === 0) {
      const names = Array.from({ length: DEPLOYED_TOGETHER }, () => `first-${this.#deployed++}`);
      const write = (name: string) =>
        writeFunction(join(this.#folder.path, name), { name, memoryMb: MEMORY_MB }, source);
      // Making a version live would load a container of it.
      await this.#hob.deploy('--no-live', ...(await Promise.all(names.map(write))));
      this.#ready.push(...names);
    }
    const name = this.#ready.shift();
    if (name === undefined) throw new Error('nothing was deployed');
    return name;
  }

  async #call(name: string): Promise<number> {
    // The client's connection and its code are warm, as those of a client that calls other functions.
    await (await this.#client.request({ method: 'GET', path: '/healthz' })).body.dump();
    const startedMs = performance.now();
    const answer = await this.#client.request({ method: 'GET', path: `/fn/${name}@1` });
    const text = await answer.body.text();
    const tookMs = performance.now() - startedMs;
    const start = answer.headers['hob-start'];
    if (text !== '{"hello":"world"}') throw new Error(`${name} answered ${answer.statusCode} ${text}`);
    if (start !== this.#start) throw new Error(`${name}: the start was ${String(start)}, not ${this.#start}`);
    return tookMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#hob[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** What starting a bare Node server for the call costs: no isolation, no framework. */
async function bareFirstCall(): Promise<number> {
  const startedMs = performance.now();
  await using peer = await PeerProgram.start('bare-http', 'node:http, no container');
  const client = new Client(peer.url);
  const answer = await client.request({ method: 'GET', path: '/' });
  await answer.body.text();
  const tookMs = performance.now() - startedMs;
  await client.close();
  return tookMs;
}

/** Who answers a first call. @returns how long it took, ms. */
interface Subject {
  readonly name: string;
  readonly samples: number[];
  readonly call: () => Promise<number>;
}

async function subjects(peers: ContainerPeers): Promise<Subject[]> {
  const served = peers.present.map(async (peer): Promise<Subject> => {
    const server = await serverIn(peers, peer, 'server');
    const call = async (): Promise<number> => {
      await using started = await server.start();
      return started.answeredMs;
    };
    return { name: peer.name, samples: [], call };
  });
  return [...(await Promise.all(served)), { name: 'node:http, no container', samples: [], call: bareFirstCall }];
}

/** (b) The first call of a function that was just deployed, over HTTP, with parked containers and without. */
export async function benchFirstCall(): Promise<Measurement[]> {
  await using filled = await FirstCalls.create('pool');
  await using empty = await FirstCalls.create('cold');
  await using peers = await ContainerPeers.open();
  const others = await subjects(peers);
  for (let round = 0; round < CALLS; round += 1) {
    await filled.measure();
    await empty.measure();
    for (const { samples, call } of others) samples.push(await call());
  }
  const theirs = others.map(({ name, samples }) => ({ name, ...quantiles(samples) }));
  const rows = [
    ['first call, pool filled', filled],
    ['first call, pool empty', empty],
  ] as const;
  return rows.map(([name, { samples }]) => ({
    name,
    unit: 'ms',
    better: 'lower',
    hob: quantiles(samples),
    peers: [...theirs, ...peers.missing],
    how: `${CALLS} functions called once each, in turn with the peers; theirs is from the start of a node:http server until it has answered, over a unix socket in a shared folder, asked until it listens`,
  }));
}
