import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  FunctionConfig,
  FunctionFailure,
  FunctionVersion,
  HobError,
  InvocationHandle,
  InvocationSink,
  LogLine,
  Observer,
  Receipt,
  ResponseHead,
} from '@hob/contracts';
import pino from 'pino';
import { type SchedulerConfig, Scheduler, type SchedulerOptions } from '../../src/index.ts';
import { FakeClock, settle } from './fake-clock.ts';
import type { Program } from './fake-container.ts';
import { FakeDriver } from './fake-driver.ts';
import { FakeMemory } from './fake-memory.ts';

/** Keeps all that a scheduler tells. */
class RecordingObserver implements Observer {
  readonly receipts: Receipt[] = [];
  readonly lines: LogLine[] = [];
  readonly deaths: { readonly function: string; readonly cause: string; readonly cpuSeconds: number }[] = [];
  readonly denials: { readonly function: string; readonly reason: string; readonly count: number }[] = [];
  readonly queries: { readonly function: string; readonly outcome: string; readonly count: number }[] = [];
  readonly preloads: string[] = [];
  created = 0;

  invocationEnded(receipt: Receipt): void {
    this.receipts.push(receipt);
  }

  log(line: LogLine): void {
    this.lines.push(line);
  }

  containerCreated(): void {
    this.created += 1;
  }

  containerDied(event: { readonly function: string; readonly cause: string; readonly cpuSeconds: number }): void {
    this.deaths.push(event);
  }

  egressDenied(event: { readonly function: string; readonly reason: string; readonly count: number }): void {
    this.denials.push(event);
  }

  dnsQueries(event: { readonly function: string; readonly outcome: string; readonly count: number }): void {
    this.queries.push(event);
  }

  preloaded({ outcome }: { readonly outcome: string }): void {
    this.preloads.push(outcome);
  }

  zygoteRestarted(): void {}
}

/** A call's sink and handle: keeps what came, and refuses what must not come. */
export class Call implements InvocationSink {
  readonly id: string;
  handle: InvocationHandle | undefined;
  response: ResponseHead | undefined;
  error: HobError | undefined;
  failure: FunctionFailure | undefined;
  readonly chunks: Uint8Array[] = [];
  ends = 0;
  drains = 0;
  /** What `chunk` returns. */
  hasRoom = true;

  constructor(id: string) {
    this.id = id;
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString();
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  head(head: ResponseHead): void {
    this.#mustRun('head');
    if (this.response) throw new Error('two heads');
    this.response = head;
  }

  chunk(bytes: Uint8Array): boolean {
    this.#mustRun('chunk');
    this.chunks.push(bytes);
    return this.hasRoom;
  }

  end(): void {
    this.#mustRun('end');
    this.ends += 1;
  }

  fail(error: HobError, failure: FunctionFailure | undefined): void {
    this.#mustRun('fail');
    this.ends += 1;
    this.error = error;
    this.failure = failure;
  }

  drain(): void {
    this.#mustRun('drain');
    this.drains += 1;
  }

  #mustRun(what: string): void {
    if (this.ends > 0) throw new Error(`${what} after the end of ${this.id}`);
  }
}

const digest = 'ab'.repeat(32);

/** A version of a function, of the bundle that the bench has on disk. */
export function versionOf(config: Partial<FunctionConfig> = {}, version = 1, more: Partial<FunctionVersion> = {}) {
  const name = config.name ?? 'greet';
  const full: FunctionVersion = {
    name,
    version,
    digest,
    config: {
      name,
      runtime: 'nodejs24.x',
      entry: 'index.ts',
      memoryMb: 256,
      cpu: 1,
      timeoutMs: 1000,
      concurrency: 1,
      maxContainers: 4,
      env: { GREETING: 'hi' },
      auth: 'open',
      assets: [],
      egress: 'none',
      nofile: 1024,
      tmpMb: 64,
      responseBytesMax: 2 ** 30,
      ...config,
    },
    bundleBytes: 100,
    hasAssets: false,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...more,
  };
  return full;
}

/** A scheduler with fakes around it, and a bundle in a temporary folder. */
export class Bench implements AsyncDisposable {
  readonly driver: FakeDriver;
  readonly clock = new FakeClock();
  readonly memory = new FakeMemory();
  readonly observer = new RecordingObserver();
  readonly scheduler: Scheduler;
  readonly folder: string;
  /** What is wrong with the bundle. */
  damage: string | undefined;
  #serial = 0;

  private constructor(
    folder: string,
    program: Program,
    { config, secrets }: Required<Pick<SchedulerOptions, 'config' | 'secrets'>>,
  ) {
    this.folder = folder;
    this.driver = new FakeDriver(program);
    this.scheduler = new Scheduler({
      driver: this.driver,
      bundles: { folder: () => join(folder, 'bundle'), findDamage: () => Promise.resolve(this.damage) },
      secrets,
      cacheFolder: join(folder, 'cache'),
      observer: this.observer,
      log: pino({ level: 'silent' }),
      clock: this.clock,
      memory: this.memory,
      config: { poolMin: 0, poolMax: 0, poolWarmMb: [], forkParallel: 100, ...config },
    });
  }

  /** Without a pool, and with any number of forks at once, unless `config` says otherwise. */
  static async open(
    program: Program,
    config: Partial<SchedulerConfig> = {},
    code = 'export default 1;\n',
    secrets: SchedulerOptions['secrets'] = { env: () => ({}) },
  ) {
    const folder = await mkdtemp(join(tmpdir(), 'hob-scheduler-'));
    await mkdir(join(folder, 'bundle'));
    await writeFile(join(folder, 'bundle', 'index.mjs'), code);
    try {
      return new Bench(folder, program, { config, secrets });
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  /** Starts a call. */
  call(version: FunctionVersion = versionOf(), path = '/hello', hasBody = false): Call {
    const call = new Call(`call-${++this.#serial}`);
    const request = {
      id: call.id,
      version,
      method: 'GET',
      url: `http://greet.local${path}`,
      headers: ['a', 'b'],
      hasBody,
    };
    call.handle = this.scheduler.invoke(request, call);
    return call;
  }

  /** Starts a call, and lets everything happen that needs no time. */
  async called(version: FunctionVersion = versionOf(), path = '/hello', hasBody = false): Promise<Call> {
    const call = this.call(version, path, hasBody);
    await this.until(() => call.ends > 0, 'the call ends');
    return call;
  }

  /** Lets no fork come to its end until it is disposed of, or `release` is called. */
  holdForks(): Disposable & { readonly release: () => void } {
    const gate = Promise.withResolvers<void>();
    this.driver.gate = gate.promise;
    return { release: gate.resolve, [Symbol.dispose]: gate.resolve };
  }

  receipt(call: Call): Receipt {
    const [receipt, ...more] = this.observer.receipts.filter(({ invocationId }) => invocationId === call.id);
    if (receipt === undefined || more.length > 0) throw new Error(`${1 + more.length} receipts of ${call.id}`);
    return receipt;
  }

  /** Waits for a state that needs no time to pass, but perhaps input and output. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    for (let turn = 0; turn < 5000; turn++) {
      if (isSo()) return;
      await settle();
      // It depends on the file system, then: there is no use in spinning.
      if (turn > 100) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`it does not come to pass that ${what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scheduler.destroy();
    await rm(this.folder, { recursive: true });
    if (this.driver.alive.size > 0) throw new Error(`${this.driver.alive.size} containers are left`);
  }
}
