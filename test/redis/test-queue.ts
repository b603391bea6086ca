import { randomUUID } from 'node:crypto';
import {
  type AsyncEvent,
  asyncPolicy,
  fail,
  type FunctionConfig,
  type FunctionVersion,
  type InvocationHandle,
  type InvocationRecord,
  type InvocationRequest,
  type InvocationSink,
  type InvocationStatus,
  type Invoker,
} from '@hob/contracts';
import { InvocationQueue, Receipts } from '@hob/queue';
import type { RedisTarget } from '@hob/redis';
import { queueConfig } from '../faults/queue-config.ts';
import { until } from '../support/until.ts';
import { quiet } from './registry-acts.ts';

const spent = { start: 'warm', queueMs: 0, createMs: 0, thawMs: 0, loadMs: 0, runMs: 1, cpuMs: 1 } as const;
const account = { ...spent, memoryPeakBytes: 1, containerAgeMs: 1, bytesIn: 0, bytesOut: 0 };
const ignore = (): void => undefined;

/** Told of a call that came to its end. @returns how many there were of that event. */
type Ended = (id: string) => number;

/** A call of a function, whose body says what becomes of it: `fail <times>`, `never`, `wait` until it is cancelled, or anything else. */
class TestCall implements InvocationHandle {
  readonly #request: InvocationRequest;
  readonly #sink: InvocationSink;
  readonly #ended: Ended;
  readonly #receipts: Receipts;
  #body = '';

  constructor(request: InvocationRequest, sink: InvocationSink, queue: { ended: Ended; receipts: Receipts }) {
    this.#request = request;
    this.#sink = sink;
    this.#ended = queue.ended;
    this.#receipts = queue.receipts;
    if (!request.hasBody) this.end();
  }

  write(chunk: Uint8Array): boolean {
    this.#body += Buffer.from(chunk).toString();
    return true;
  }

  end(): void {
    if (this.#body === 'wait') return;
    const attempt = this.#ended(this.#request.id);
    const [, failures = this.#body === 'never' ? Infinity : 0] = /^fail (\d+)/.exec(this.#body) ?? [];
    this.#sink.head({ ...account, status: attempt <= Number(failures) ? 500 : 200, headers: [], bodyless: true });
    this.#sink.end();
    this.#told('ok');
  }

  cancel(): void {
    this.#sink.fail(fail('ERR_CANCELLED', ['a test']), undefined);
    this.#told('ERR_CANCELLED');
  }

  resume(): void {
    // Nothing was held up.
  }

  #told(outcome: 'ok' | 'ERR_CANCELLED'): void {
    const { id, version } = this.#request;
    this.#receipts.invocationEnded({ invocationId: id, function: version.name, version: 1, ...account, outcome });
  }
}

/** A queue on a Redis, with functions that run in this process. */
export class TestQueue implements AsyncDisposable {
  readonly queue: InvocationQueue;
  /** How often each event has run to an end, by id. */
  readonly runs = new Map<string, number>();
  /** Functions that were called. */
  readonly called = new Set<string>();

  constructor(redis: RedisTarget) {
    const receipts = new Receipts();
    const ended = (id: string): number => {
      const attempt = (this.runs.get(id) ?? 0) + 1;
      this.runs.set(id, attempt);
      return attempt;
    };
    const invoker: Invoker = {
      invoke: (request, sink) => {
        this.called.add(request.version.name);
        return new TestCall(request, sink, { ended, receipts });
      },
      cancel: () => false,
    };
    this.queue = new InvocationQueue({
      redis,
      invoker,
      directory: { resolve: (name) => versionOf(name) },
      receipts,
      observer: { attempted: ignore, scheduled: ignore, keyHit: ignore, redisAnswered: ignore },
      load: () => ({ running: 0, started: 0 }),
      log: quiet,
      config: queueConfig,
      drainMs: 0,
      webhookSecret: undefined,
    });
  }

  /** One that accepts events. */
  static async open(redis: RedisTarget): Promise<TestQueue> {
    const queue = new TestQueue(redis);
    await queue.queue.started([]);
    return queue;
  }

  /** @returns its id. */
  async submit(body: string, more: Partial<AsyncEvent> = {}): Promise<string> {
    const id = randomUUID();
    const policy = { ...asyncPolicy({}), backoffMs: 1, backoffMaxMs: 10 };
    const about = { id, function: 'work', version: undefined, policy, method: 'POST', url: 'http://h/', headers: [] };
    await this.queue.submit({ ...about, body: Buffer.from(body), ...more });
    return id;
  }

  /** Waits until an event has come to a status. */
  reached(id: string, status: InvocationStatus): Promise<InvocationRecord> {
    return until(`${id} is ${status}`, async () => {
      const record = await this.queue.read(id).catch(() => undefined);
      return record?.status === status && record;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.queue.close();
  }
}

/** A version of a function, which may have a schedule. */
export function versionOf(name: string, schedule?: FunctionConfig['schedule']): FunctionVersion {
  const config = { ...(schedule && { schedule }) } as FunctionConfig;
  return { name, version: 1, digest: '', config, bundleBytes: 0, hasAssets: false, createdAt: '' };
}
