import { join } from 'node:path';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { type HostCensus, takeCensus } from '../support/host-census.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** So many functions that the next call of one comes when its container has ended, and needs another one. */
const FUNCTIONS = 20;
const MEMORY_MB = 256;
const source = `export default (): Response => new Response('fresh');\n`;

/** What became of one call. */
export interface FreshCall {
  /** When it began, monotonic ms. */
  readonly atMs: number;
  readonly tookMs: number;
  /** For a container: in the queue, and for its fork. */
  readonly waitMs: number;
  /** `pool` or `cold`; `error` when it was not answered rightly. */
  readonly start: string;
}

/** One reading of the pool's metrics. */
export interface PoolReading {
  readonly atMs: number;
  readonly target: number;
  readonly parked: number;
}

/** A hob that keeps no idle container, with functions to call: each call takes a parked container, or a new one. */
export class FreshCalls implements AsyncDisposable {
  readonly hob: HobServer;
  readonly calls: FreshCall[] = [];
  readonly #folder: TemporaryFolder;
  #next = 0;

  private constructor(hob: HobServer, folder: TemporaryFolder) {
    this.hob = hob;
    this.#folder = folder;
  }

  /** @param env further settings of `hob serve`. */
  static async create(env: Readonly<Record<string, string>>): Promise<FreshCalls> {
    const folder = await TemporaryFolder.create('load');
    const hob = await HobServer.create({
      env: { HOB_LOG_LEVEL: 'warn', HOB_KEEP_ALIVE_MS: '0', HOB_KEEP_ALIVE_POLICY: 'fixed', ...env },
    });
    const self = new FreshCalls(hob, folder);
    const write = (_: unknown, at: number) =>
      writeFunction(join(folder.path, `fresh-${at}`), { name: `fresh-${at}`, memoryMb: MEMORY_MB }, source);
    await hob.deploy(...(await Promise.all(Array.from({ length: FUNCTIONS }, write))));
    return self;
  }

  /** Calls the next function. Never rejects: what goes wrong is an `error`. */
  async call(): Promise<void> {
    const atMs = performance.now();
    const name = `fresh-${this.#next++ % FUNCTIONS}`;
    const answer = await this.hob.fn(name).catch(() => undefined);
    const tookMs = performance.now() - atMs;
    const isRight = answer?.status === 200 && answer.body.toString() === 'fresh';
    const timing = new Map(
      [...(answer?.headers['server-timing'] ?? '').matchAll(/(\w+);dur=([\d.]+)/g)].map(([, part, ms]) => [
        part,
        Number(ms),
      ]),
    );
    const waitMs = (timing.get('queue') ?? 0) + (timing.get('create') ?? 0);
    this.calls.push({ atMs, tookMs, waitMs, start: isRight ? (answer.headers['hob-start'] ?? '') : 'error' });
  }

  /** What /metrics says of the pool now. */
  async reading(): Promise<PoolReading> {
    const text = await (await fetch(`${this.hob.url}/metrics`)).text();
    const value = (start: string): number => {
      const line = text.split('\n').find((each) => each.startsWith(start) && each.includes(`memory_mb="${MEMORY_MB}"`));
      return Number(line?.split(' ').at(-1) ?? NaN);
    };
    const labels = `{runtime="nodejs24.x",memory_mb="${MEMORY_MB}",network="none"`;
    return {
      atMs: performance.now(),
      target: value(`hob_pool_target_containers${labels}`),
      parked: value(`hob_pool_containers${labels},state="parked"`),
    };
  }

  /** Waits until the pool is as small as it gets and no other container is left. @returns what is there then. */
  async atRest(poolMin: number): Promise<HostCensus> {
    return until('only the least number of parked containers is left', async () => {
      const { target, parked } = await this.reading();
      const { functions } = (await this.hob.control('stats')) as { functions: readonly unknown[] };
      const census = takeCensus(this.hob.pid);
      // Containers are out of the scheduler's books before the last of them is gone from the host.
      const groups = census.cgroups.filter((name) => name === 'c').length;
      const trees = census.cgroups.filter((name) => name === `zygote-${MEMORY_MB}`).length;
      const isLeast =
        census.processes.filter((name) => name === 'node').length === poolMin && groups === poolMin * trees;
      return target === poolMin && parked === poolMin && functions.length === 0 && isLeast && census;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hob[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
