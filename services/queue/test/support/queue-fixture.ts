import { randomUUID } from 'node:crypto';
import {
  type AsyncEvent,
  type AsyncPolicy,
  type AttemptOutcome,
  fail,
  type FunctionConfig,
  type FunctionVersion,
  type HobError,
  type InvocationHandle,
  type InvocationRecord,
  type InvocationRequest,
  type InvocationSink,
  type InvocationStatus,
  type Invoker,
  type KeyHit,
  type Receipt,
} from '@hob/contracts';
import { pino } from 'pino';
import { InvocationQueue, type QueueConfig, Receipts } from '../../src/index.ts';
import { TestRedis } from './redis.ts';
import { until } from './until.ts';

export const policy: AsyncPolicy = { maxAttempts: 3, maxAgeMs: 600_000, backoffMs: 1, backoffMaxMs: 20 };

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** One call as the function sees it. */
export interface Call {
  readonly request: InvocationRequest;
  readonly body: string;
  /** How many calls with this id there were, this one too. */
  readonly attempt: number;
}

/** What a function does with a call. A string is the body of an answer with status 200. */
export type Behaviour = (call: Call) => Promise<string | number | HobError> | string | number | HobError;

const account = {
  start: 'warm',
  queueMs: 0,
  createMs: 0,
  thawMs: 0,
  loadMs: 0,
  runMs: 1,
  cpuMs: 1,
  memoryPeakBytes: 1,
  containerAgeMs: 1,
  bytesIn: 0,
  bytesOut: 0,
} as const;

/** Functions that are run in this process, one behaviour for all. */
export class TestInvoker implements Invoker {
  behaviour: Behaviour = () => 'done';
  readonly calls: Call[] = [];
  readonly receipts: Receipts;
  running = 0;
  started = 0;

  constructor(receipts: Receipts) {
    this.receipts = receipts;
  }

  invoke(request: InvocationRequest, sink: InvocationSink): InvocationHandle {
    const chunks: Uint8Array[] = [];
    let isOver = false;
    this.running += 1;
    this.started += 1;
    const over = (end: () => void, outcome: Receipt['outcome']): void => {
      if (isOver) return;
      isOver = true;
      this.running -= 1;
      end();
      const { name, version } = request.version;
      this.receipts.invocationEnded({ invocationId: request.id, function: name, version, ...account, outcome });
    };
    const run = async (): Promise<void> => {
      const body = Buffer.concat(chunks).toString();
      const attempt = this.calls.filter((call) => call.request.id === request.id).length + 1;
      const call = { request, body, attempt };
      this.calls.push(call);
      const result = await this.behaviour(call);
      if (typeof result === 'object') {
        const reached = result.spec.kind === 'capacity' ? undefined : account;
        over(() => sink.fail(result, undefined, reached), result.code);
      } else over(() => answer(sink, result), 'ok');
    };
    if (!request.hasBody) void run();
    return {
      write: (chunk) => chunks.push(chunk) > 0,
      end: () => void run(),
      cancel: () => over(() => sink.fail(fail('ERR_CANCELLED', ['a test']), undefined, account), 'ERR_CANCELLED'),
      resume: () => undefined,
    };
  }

  cancel(): boolean {
    return false;
  }
}

function answer(sink: InvocationSink, result: string | number): void {
  const status = typeof result === 'number' ? result : 200;
  sink.head({ ...account, status, headers: ['content-type', 'text/plain'], bodyless: false });
  if (typeof result === 'string') sink.chunk(Buffer.from(result));
  sink.end();
}

const config: QueueConfig = {
  concurrency: 4,
  bodyBytesMax: 2 ** 20,
  resultBytesMax: 64,
  resultKeepMs: 60_000,
  deadKeepMs: 60_000,
  idempotencyKeepMs: 60_000,
  redisBytesMax: 2 ** 30,
};

/** A real Redis, a queue on it, and functions that do what the test says. */
export class QueueFixture implements AsyncDisposable {
  readonly redis: TestRedis;
  readonly invoker: TestInvoker;
  /** How the attempts ended. */
  readonly outcomes: AttemptOutcome[] = [];
  /** How late schedules made their events, what calls met whose key was taken, and how long Redis took. */
  readonly lagsMs: number[] = [];
  readonly hits: KeyHit[] = [];
  readonly answersMs: number[] = [];
  readonly unknown = new Set<string>();
  #queue: InvocationQueue | undefined;
  readonly #config: QueueConfig;

  private constructor(redis: TestRedis, more: Partial<QueueConfig>) {
    this.redis = redis;
    this.invoker = new TestInvoker(new Receipts());
    this.#config = { ...config, ...more };
  }

  static async open(more: Partial<QueueConfig> = {}): Promise<QueueFixture> {
    const fixture = new QueueFixture(await TestRedis.start(), more);
    fixture.openQueue();
    await until('the queue accepts events', () => fixture.submit().catch(() => undefined));
    await until('it is quiet', () => fixture.invoker.running === 0 && fixture.invoker.calls.length === 1);
    fixture.invoker.calls.length = 0;
    return fixture;
  }

  get queue(): InvocationQueue {
    if (this.#queue === undefined) throw new Error('there is no queue');
    return this.#queue;
  }

  openQueue(): InvocationQueue {
    this.#queue = this.anotherQueue();
    return this.#queue;
  }

  /** A further one on the same Redis, with the same functions; whoever asks for it closes it. */
  anotherQueue(): InvocationQueue {
    return new InvocationQueue({
      redis: this.redis.target,
      invoker: this.invoker,
      directory: { resolve: (name, qualifier) => this.#resolve(name, qualifier) },
      receipts: this.invoker.receipts,
      observer: {
        attempted: (outcome) => this.outcomes.push(outcome),
        scheduled: (lagMs) => this.lagsMs.push(lagMs),
        keyHit: (hit) => this.hits.push(hit),
        redisAnswered: (ms) => this.answersMs.push(ms),
      },
      load: () => ({ running: this.invoker.running, started: this.invoker.started }),
      log: pino({ level: 'silent' }),
      config: this.#config,
      drainMs: 50,
      webhookSecret: SECRET,
    });
  }

  /** Submits an event. @returns its id. */
  async submit(more: Partial<AsyncEvent> = {}): Promise<string> {
    const id = randomUUID();
    const event = { id, function: 'work', version: undefined, policy, method: 'POST', url: 'http://hob/a?b=c' };
    await this.queue.submit({ ...event, headers: ['x-one', '1'], body: undefined, ...more });
    return more.id ?? id;
  }

  /** Waits until an event has come to a status. */
  reached(id: string, status: InvocationStatus): Promise<InvocationRecord> {
    return until(`${id} is ${status}`, async () => {
      const record = await this.queue.read(id).catch(() => undefined);
      return record?.status === status ? record : undefined;
    });
  }

  #resolve(name: string, qualifier: number | string = 7): FunctionVersion {
    const version = Number(qualifier);
    if (this.unknown.has(name)) throw fail('ERR_FN_NOT_FOUND', [name]);
    const about = { digest: '', config: {} as FunctionConfig, bundleBytes: 0, hasAssets: false, createdAt: '' };
    return { name, version, ...about };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue?.close();
    await this.redis[Symbol.asyncDispose]();
  }
}
