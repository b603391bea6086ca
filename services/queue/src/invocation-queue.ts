import type {
  AsyncEvent,
  AsyncInvocations,
  CallLoad,
  DeadLetters,
  FunctionDirectory,
  FunctionVersion,
  IdempotencyKeys,
  InvocationRecord,
  Invoker,
  QueueBoard,
  QueueCounts,
  QueueObserver,
  Schedules,
} from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import type { Logger } from 'pino';
import type { QueueConfig } from './config.ts';
import { EventRunner } from './event-runner.ts';
import { EventStore } from './event-store.ts';
import { EventWorker } from './event-worker.ts';
import type { Receipts } from './receipts.ts';
import { webhookKey } from './webhook.ts';

/** What a queue is made of. It owns none of it. */
export interface InvocationQueueOptions {
  readonly redis: RedisTarget;
  readonly invoker: Invoker;
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
  /** Told of every call that ends. */
  readonly receipts: Receipts;
  /** All calls, those of the queue too. */
  readonly load: () => CallLoad;
  /** Told how attempts end, how late schedules are, which keys come again, and how fast Redis is. */
  readonly observer: QueueObserver;
  readonly log: Logger;
  readonly config: QueueConfig;
  /** How long running calls may go on after a stop was asked for, ms. */
  readonly drainMs: number;
  /** What messages to URLs are signed with, `whsec_…`; without it they fail. */
  readonly webhookSecret: string | undefined;
}

/**
 * Asynchronous invocations: accepted events are in Redis until they have succeeded or are dead letters, whoever ends meanwhile, and
 * are tried at least once.
 *
 * Lifecycle: running ──close()──▶ draining ──running calls end or drainMs──▶ closed. There is no way back; what is left goes on when a
 * queue is opened on the same Redis again.
 */
export class InvocationQueue implements AsyncInvocations, AsyncDisposable {
  readonly bodyBytesMax: number;
  readonly #store: EventStore;
  readonly #worker: EventWorker;
  readonly #drainMs: number;
  #closing: Promise<void> | undefined;

  /** @throws ERR_CONFIG_INVALID for a secret that is none. */
  constructor(options: InvocationQueueOptions) {
    const { redis, log, config, observer } = options;
    this.bodyBytesMax = config.bodyBytesMax;
    this.#drainMs = options.drainMs;
    this.#store = new EventStore({ redis, log, config, observer });
    const runner = new EventRunner({ ...options, resultBytesMax: config.resultBytesMax });
    const { webhookSecret } = options;
    this.#worker = new EventWorker({
      ...options,
      runner,
      webhookKey: webhookSecret === undefined ? undefined : webhookKey(webhookSecret),
    });
  }

  /** Whether Redis can be reached for events, and answers within two seconds: else they are refused. */
  get available(): boolean {
    return this.#store.available;
  }

  get deadLetters(): DeadLetters {
    return this.#store.deadLetters;
  }

  get keys(): IdempotencyKeys {
    return this.#store.keys;
  }

  get board(): QueueBoard {
    return this.#store.board;
  }

  get schedules(): Schedules {
    return this.#store.schedules;
  }

  /**
   * Makes the schedules those of the functions that there are; to be called once, when all are known.
   *
   * @throws ERR_QUEUE_UNAVAILABLE
   */
  async started(live: readonly FunctionVersion[]): Promise<void> {
    await this.#store.connected();
    await this.#store.schedules.reconcile(live);
  }

  submit(event: AsyncEvent): Promise<void> {
    return this.#store.submit(event);
  }

  counts(): Promise<QueueCounts | undefined> {
    return this.#store.counts();
  }

  read(id: string): Promise<InvocationRecord | undefined> {
    return this.#store.read(id);
  }

  cancel(id: string): Promise<boolean> {
    return this.#store.cancel(id);
  }

  /** Every call awaits the same end; it never rejects. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#worker.close(this.#drainMs);
    await this.#store.close();
  }
}
