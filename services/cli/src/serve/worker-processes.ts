import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fail, type FunctionRecord } from '@hob/contracts';
import type { Gateway, GatewayLimits, Metrics, WorkerLink } from '@hob/gateway';
import type { Logger } from 'pino';
import type { ListenAddress } from '../address.ts';
import type { Environment } from '../environment.ts';

/** A worker's descriptor of its connection to the server. */
export const CALLS_FD = 3;
/** Where the server answers what workers pass on, in the data folder, which is a worker's working directory. */
export const GATEWAY_SOCKET = 'gateway.sock';

/** How long a worker may take until it listens, ms. */
const START_MS_MAX = 30_000;
/** How long a worker may take to learn of a change, ms: then it hangs. */
const SYNC_MS_MAX = 5000;
/** How much longer than its clients a worker may take to end, ms. */
const END_MS_MAX = 5000;
const RESTART_DELAY_MS = 100;
const RESTART_DELAY_MS_MAX = 5000;
/** A worker that has run for so long is no failed start, ms. */
const GOOD_RUN_MS = 10_000;
/** What a worker gets of the environment: no secret is in it. */
const passedOn = /^(?:HOB_LOG_LEVEL|PATH|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LANG|LC_.*|TZ)$/;

/** What workers are started with. */
export interface WorkerProcessesOptions {
  readonly count: number;
  readonly env: Environment;
  readonly dataDir: string;
  /** An address, no name, and a port. */
  readonly address: ListenAddress;
  readonly limits: GatewayLimits;
  /** Hashes of the operator's tokens. */
  readonly tokens: readonly string[];
  readonly gateway: Pick<Gateway, 'serveWorker'>;
  readonly metrics: Pick<Metrics, 'workersRun' | 'workerRestarted'>;
  readonly log: Logger;
}

/**
 * The processes that the gateway runs as. Each listens on the same port, by SO_REUSEPORT: the kernel gives each of them its part of
 * the connections, with no process in between.
 *
 * Lifecycle: made ──start()──▶ running ──close()──▶ draining ──all ended──▶ closed. One that dies is started again, with growing
 * pauses, without end.
 */
export class WorkerProcesses {
  readonly #options: WorkerProcessesOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #records = new Map<string, FunctionRecord>();
  readonly #closing = new AbortController();
  #running: readonly Promise<void>[] = [];

  constructor(options: WorkerProcessesOptions) {
    this.#options = options;
  }

  /** Resolved when all listen. @throws ERR_SERVE_WORKER; what was started goes on until `close`. */
  async start(): Promise<void> {
    const opened = Array.from({ length: this.#options.count }, () => Promise.withResolvers<void>());
    this.#running = opened.map((one) => this.#keep(one));
    await Promise.all(opened.map(({ promise }) => promise));
  }

  /** Tells every worker what is known of a function now. Resolved when all act on it. Never rejects. */
  async tell(record: FunctionRecord): Promise<void> {
    if (record.versions.length === 0) this.#records.delete(record.name);
    else this.#records.set(record.name, record);
    const workers = [...this.#workers];
    for (const { link } of workers) link.tell(record);
    await Promise.all(workers.map((worker) => this.#synced(worker, SYNC_MS_MAX)));
  }

  /** Has all end with their last requests. Those that do not are killed. */
  async close(): Promise<void> {
    this.#closing.abort();
    const workers = [...this.#workers];
    for (const { link } of workers) link.drain();
    const timer = setTimeout(() => {
      for (const worker of workers) worker.kill();
    }, this.#options.limits.drainMs + END_MS_MAX);
    await Promise.all(this.#running);
    clearTimeout(timer);
  }

  /** Keeps one worker running. @param opened resolved when it listens for the first time, rejected when it never does. */
  async #keep(opened: PromiseWithResolvers<void>): Promise<void> {
    const { log, metrics } = this.#options;
    let hasOpened = false;
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      const startedMs = performance.now();
      const worker = this.#launch();
      await this.#synced(worker, START_MS_MAX);
      if (!worker.hasEnded) {
        hasOpened = true;
        opened.resolve();
        metrics.workersRun(this.#workers.size);
      }
      const how = await worker.ended;
      this.#workers.delete(worker);
      metrics.workersRun(this.#workers.size);
      if (this.#closing.signal.aborted) break;
      if (!hasOpened) {
        opened.reject(fail('ERR_SERVE_WORKER', [how]));
        return;
      }
      failures = performance.now() - startedMs > GOOD_RUN_MS ? 0 : failures + 1;
      log.error({ worker: worker.pid, how }, 'a gateway worker ended; it is started again');
      metrics.workerRestarted();
      const pauseMs = Math.min(RESTART_DELAY_MS * 2 ** Math.min(failures, 30), RESTART_DELAY_MS_MAX);
      await delay(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
    opened.reject(fail('ERR_SCHED_CLOSED', []));
  }

  #launch(): WorkerProcess {
    const { address, limits, count, tokens } = this.#options;
    const worker = new WorkerProcess(this.#options);
    this.#workers.add(worker);
    const connectionsMax = Math.max(1, Math.floor(limits.connectionsMax / count));
    worker.link.setUp({ ...address, limits: { ...limits, connectionsMax }, tokens });
    for (const record of this.#records.values()) worker.link.tell(record);
    return worker;
  }

  /** Waits until a worker has taken all that it was told. One that does not in time hangs, and is killed. */
  async #synced(worker: WorkerProcess, withinMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#options.log.error({ worker: worker.pid }, 'a gateway worker does not answer; it is killed');
      worker.kill();
    }, withinMs);
    await Promise.race([worker.link.sync(), worker.ended]);
    clearTimeout(timer);
  }
}

/** One process. */
class WorkerProcess {
  readonly link: WorkerLink;
  /** How it ended, in words. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #hasEnded = false;

  constructor({ env, dataDir, gateway, log }: WorkerProcessesOptions) {
    const command = [...process.execArgv, process.argv[1] ?? '', 'worker'];
    const child = spawn(process.execPath, command, {
      cwd: dataDir,
      env: Object.fromEntries(Object.entries(env).filter(([name]) => passedOn.test(name))),
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    this.#child = child;
    this.ended = endOf(child).finally(() => (this.#hasEnded = true));
    this.link = gateway.serveWorker(child.stdio[CALLS_FD] as Socket);
    void this.link.gone.then((error) => {
      if (error === undefined) return;
      log.error({ err: error, worker: child.pid }, 'a gateway worker broke the protocol; it is killed');
      this.kill();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

async function endOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return signal === null ? `exit code ${code}` : `ended by ${signal}`;
  } catch (error) {
    // It could not be started.
    return String(error);
  }
}

/**
 * The address and port that workers are to listen on together: a name becomes an address, port 0 a free one.
 *
 * With SO_REUSEPORT a port can be shared by mistake with another server of the same user; without it, as here, not.
 *
 * @throws the error of `listen(2)`, for example EADDRINUSE.
 */
export async function sharedAddress({ host, port }: ListenAddress): Promise<ListenAddress> {
  const probe = createServer().listen({ host, port });
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (typeof address !== 'object' || address === null) throw fail('ERR_INTERNAL', []);
  return { host: address.address, port: address.port };
}
