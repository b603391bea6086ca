import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Pool } from 'undici';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { descendants, statusField } from '../support/processes.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

const MEMORY_MB = 128;
/** Tells which container it is at once, and ends when its request body does: so its caller holds as many as it likes. */
const source = `import { randomUUID } from 'node:crypto';
const id = randomUUID();
async function* hold(request: Request): AsyncGenerator<string> {
  yield id;
  for await (const _ of request.body ?? []);
}
export default (request: Request): Response =>
  new Response(ReadableStream.from(hold(request)).pipeThrough(new TextEncoderStream()));
`;

export interface CrowdSize {
  readonly functions: number;
  /** Containers of each function. */
  readonly each: number;
}

/** A hob that keeps many warm containers, of many functions. */
export class Crowd implements AsyncDisposable {
  readonly hob: HobServer;
  readonly size: CrowdSize;
  readonly #folder: TemporaryFolder;
  readonly #pool: Pool;

  private constructor(size: CrowdSize, hob: HobServer, folder: TemporaryFolder) {
    this.size = size;
    this.hob = hob;
    this.#folder = folder;
    this.#pool = new Pool(hob.url, { connections: size.each * size.functions });
  }

  /** Without a container yet. */
  static async create(size: CrowdSize): Promise<Crowd> {
    const { functions, each } = size;
    const folder = await TemporaryFolder.create('crowd');
    const hob = await HobServer.create({
      env: {
        HOB_LOG_LEVEL: 'warn',
        HOB_KEEP_ALIVE_MS: '3600000',
        HOB_QUEUE_TIMEOUT_MS: '60000', // all are to be answered, however slow the host
        HOB_CONTAINERS_MAX: `${functions * each}`,
        HOB_POOL_MIN: '0',
        HOB_POOL_MAX: '0',
      },
    });
    const self = new Crowd(size, hob, folder);
    const write = (at: number): Promise<string> =>
      writeFunction(
        join(folder.path, nameOf(at)),
        { name: nameOf(at), memoryMb: MEMORY_MB, maxContainers: each },
        source,
      );
    await hob.deploy(...(await Promise.all(Array.from({ length: functions }, (_, at) => write(at)))));
    return self;
  }

  /** Calls all containers of a function at the same time; those that are not there are made. @returns their ids. */
  async callAll(at: number): Promise<string[]> {
    return (await this.callTogether([at])).map(({ id }) => id);
  }

  /**
   * Calls all containers of some functions at the same time, and lets no call end before each has reached its own; those that are
   * not there are made.
   *
   * @param ats numbers of the functions; all calls of one leave before those of the next.
   * @returns the containers, in the order in which their calls reached them.
   */
  async callTogether(ats: readonly number[]): Promise<{ readonly at: number; readonly id: string }[]> {
    const reached: { at: number; id: string }[] = [];
    const hold = async (at: number) => {
      const body = new PassThrough();
      body.write('hold'); // the request leaves with the first piece of its body
      const path = `/fn/${nameOf(at)}`;
      const { statusCode, body: answer } = await this.#pool.request({ method: 'POST', path, body });
      const chunks: AsyncIterator<unknown> = answer[Symbol.asyncIterator]();
      const { value } = await chunks.next();
      reached.push({ at, id: `${statusCode} ${String(value)}` });
      return { body, chunks };
    };
    const held = await Promise.all(ats.flatMap((at) => Array.from({ length: this.size.each }, () => hold(at))));
    for (const { body } of held) body.end();
    for (const { chunks } of held) while ((await chunks.next()).done !== true);
    return reached;
  }

  /** Pids of the containers' first processes. */
  containers(): number[] {
    const isFirst = (pid: number): boolean => /\s1$/.test(statusField(pid, 'NSpid'));
    return descendants(this.hob.pid)
      .map(({ pid }) => pid)
      .filter(isFirst);
  }

  /** CPU time that hob itself has used so far, its zygotes counted and its containers not, ms. */
  ownCpuMs(): number {
    const containers = new Set(this.containers());
    const own = [this.hob.pid, ...descendants(this.hob.pid).map(({ pid }) => pid)].filter(
      (pid) => !containers.has(pid),
    );
    return own.reduce((sum, pid) => sum + cpuMs(pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
    await this.hob[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

const nameOf = (at: number): string => `crowd-${at}`;

/** Of all threads of a process. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, each) => sum + each, 0) / 1e6;
}
