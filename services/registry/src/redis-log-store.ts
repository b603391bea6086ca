import { setTimeout as delay } from 'node:timers/promises';
import {
  asHobError,
  type HobError,
  type LogChannel,
  logChannels,
  type LogChoice,
  type LogLine,
  type LogStore,
} from '@hob/contracts';
import { isElsewhere, type RedisTarget } from '@hob/redis';
import { type ChainableCommander, ReplyError } from 'ioredis';
import type { Logger } from 'pino';
import { LogBuffer, type LogBatch } from './log-buffer.ts';
import { RedisConnection } from './redis-connection.ts';
import { type RegistryKeys, registryKeys } from './redis-keys.ts';

export interface RedisLogStoreOptions {
  readonly redis: RedisTarget;
  readonly log: Logger;
}

/** About how many lines of a function are kept, and about how many characters when lines are long. */
export const LOG_LINES_MAX = 10_000;
const LOG_CHARACTERS_MAX = 8 * 1024 * 1024;
/** A function that has been silent for as long has no log any more, s. */
const LOG_EXPIRES_S = 7 * 24 * 60 * 60;
/** Lines that come within this time are written together. */
const FLUSH_AFTER_MS = 50;
/** How often Redis is asked for lines that another process wrote, and how long a failure is waited out. */
const LOOK_AGAIN_MS = 1_000;
/** How many lines are read at once. */
const PAGE_LINES = 500;

interface Entry {
  readonly id: string;
  readonly line: LogLine;
}

/**
 * Output of functions in capped streams of Redis, one for each function.
 *
 * Lines are written in batches, in the order of `append` for each function. A batch that was cut off by the loss of the
 * connection is written again, so in that case a line may be there twice.
 */
export class RedisLogStore implements LogStore, AsyncDisposable {
  readonly #connection: RedisConnection;
  readonly #keys: RegistryKeys;
  readonly #log: Logger;
  readonly #buffer = new LogBuffer();
  readonly #closing = new AbortController();
  /** Called when lines of a function were written. */
  readonly #followers = new Map<string, Set<() => void>>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<HobError | undefined> | undefined;

  constructor(options: RedisLogStoreOptions) {
    this.#connection = new RedisConnection(options.redis, 'logs', options.log);
    this.#keys = registryKeys(options.redis);
    this.#log = options.log;
  }

  append(line: LogLine): void {
    if (this.#closing.signal.aborted) return;
    this.#buffer.push(line);
    this.#schedule(FLUSH_AFTER_MS);
  }

  async read(functionName: string, { tail, channel }: LogChoice): Promise<LogLine[]> {
    const failure = await this.#flush();
    if (failure !== undefined) throw failure;
    const entries = await this.#last(functionName, tail, channel);
    return entries.map((entry) => entry.line);
  }

  /**
   * See LogStore. Goes on through a loss of Redis, and ends without an error when the signal is aborted or the store is closed.
   *
   * @throws ERR_REGISTRY_UNAVAILABLE when Redis is away at the start.
   */
  async *follow(functionName: string, { tail, channel }: LogChoice, signal: AbortSignal): AsyncIterable<LogLine> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    let position = '0-0';
    // With no line to show, the newest one still says where to go on.
    const first = await unlessAborted(this.#last(functionName, Math.max(1, tail), channel), ended);
    for (const { id, line } of first ?? []) {
      position = id;
      if (ended.aborted) return;
      if (tail > 0) yield line;
    }
    while (!ended.aborted) {
      using news = this.#listen(functionName);
      const page = await unlessAborted(
        this.#after(functionName, position).catch(() => undefined),
        ended,
      );
      for (const { id, line } of page ?? []) {
        position = id;
        if (ended.aborted) return;
        if (isChosen(line, channel)) yield line;
      }
      if (page === undefined) await unlessAborted(delay(LOOK_AGAIN_MS, undefined, { signal: ended }), ended);
      else if (page.length < PAGE_LINES) await unlessAborted(news.heard(ended), ended);
    }
  }

  /** Writes what waits, if Redis takes it, ends every `follow` and disconnects. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#flush();
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #schedule(afterMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#flush();
    }, afterMs).unref();
  }

  /**
   * Writes what waits; one at a time, and every caller's lines are in what it waits for. Never rejects.
   *
   * @returns why Redis could not be reached, in which case the lines wait on.
   */
  async #flush(): Promise<HobError | undefined> {
    const failure = await this.#flushing;
    if (failure !== undefined || this.#buffer.isEmpty) return failure;
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
    });
    return await this.#flushing;
  }

  async #write(): Promise<HobError | undefined> {
    try {
      await this.#connection.run(async (redis) => {
        const batches = this.#buffer.batches();
        const pipeline = redis.pipeline();
        for (const batch of batches) addBatch(pipeline, this.#keys.logs(batch.function), batch);
        this.#settle(batches, (await pipeline.exec()) ?? []);
      });
      if (!this.#buffer.isEmpty) this.#schedule(FLUSH_AFTER_MS);
      return undefined;
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#schedule(LOOK_AGAIN_MS);
      return asHobError(error);
    }
  }

  /**
   * Looks at each batch's replies: a refusal of Redis loses its lines, a broken connection leaves them for later.
   *
   * @throws what broke the connection.
   */
  #settle(batches: readonly LogBatch[], replies: readonly [error: Error | null, result: unknown][]): void {
    let at = 0;
    let broken: Error | undefined;
    for (const batch of batches) {
      const commands = batch.lines.length + 1;
      const errors = replies.slice(at, at + commands).flatMap(([error]) => (error === null ? [] : [error]));
      at += commands;
      const unanswered = errors.find((error) => !(error instanceof ReplyError) || isElsewhere(error));
      if (unanswered !== undefined) {
        broken ??= unanswered;
        continue;
      }
      const [refusal] = errors;
      if (refusal !== undefined) this.#log.warn({ err: refusal, function: batch.function }, 'Redis refused log lines');
      this.#buffer.done(batch, refusal !== undefined);
      for (const heard of this.#followers.get(batch.function) ?? []) heard();
    }
    if (broken !== undefined) throw broken;
  }

  /** Goes back as far as it must to find so many lines of a channel. */
  async #last(functionName: string, tail: number, channel: LogChannel | undefined): Promise<Entry[]> {
    const count = Math.min(Math.floor(tail), LOG_LINES_MAX);
    if (!(count > 0)) return [];
    const pageLines = channel === undefined ? count : PAGE_LINES;
    const found: Entry[] = [];
    for (let before = '+'; found.length < count;) {
      const page = await this.#connection.run((redis) =>
        redis.xrevrange(this.#keys.logs(functionName), before, '-', 'COUNT', pageLines),
      );
      const entries = page.map((entry) => toEntry(functionName, entry));
      found.push(...entries.filter(({ line }) => isChosen(line, channel)));
      const oldest = entries.at(-1);
      if (oldest === undefined || entries.length < pageLines) break;
      before = `(${oldest.id}`;
    }
    return found.slice(0, count).reverse();
  }

  async #after(functionName: string, position: string): Promise<Entry[]> {
    const entries = await this.#connection.run((redis) =>
      redis.xrange(this.#keys.logs(functionName), `(${position}`, '+', 'COUNT', PAGE_LINES),
    );
    return entries.map((entry) => toEntry(functionName, entry));
  }

  /** Listens for lines that are written from now on. `heard` waits for them, for a while, or for the signal. */
  #listen(functionName: string): Disposable & { heard(signal: AbortSignal): Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listeners = this.#followers.get(functionName) ?? new Set();
    this.#followers.set(functionName, listeners.add(resolve));
    return {
      heard: async (signal) => {
        const patience = new AbortController();
        const either = AbortSignal.any([signal, patience.signal]);
        await Promise.race([promise, delay(LOOK_AGAIN_MS, undefined, { signal: either }).catch(() => {})]);
        patience.abort();
      },
      [Symbol.dispose]: () => {
        listeners.delete(resolve);
        if (listeners.size === 0) this.#followers.delete(functionName);
      },
    };
  }
}

/** Lines, then the stream's expiry: one command more than lines. */
function addBatch(pipeline: ChainableCommander, key: string, batch: LogBatch): void {
  const longest = batch.lines.reduce((most, { line }) => Math.max(most, line.length), 1);
  const linesMax = Math.min(LOG_LINES_MAX, Math.ceil(LOG_CHARACTERS_MAX / longest));
  for (const { timeMs, version, invocationId, channel, line } of batch.lines) {
    const fields = ['t', timeMs, 'v', version, 'i', invocationId, 'c', channel, 'l', line];
    pipeline.xadd(key, 'MAXLEN', '~', linesMax, '*', ...fields);
  }
  pipeline.expire(key, LOG_EXPIRES_S);
}

function toEntry(functionName: string, [id, fields]: [id: string, fields: string[]]): Entry {
  const field = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) field.set(fields[at] ?? '', fields[at + 1] ?? '');
  const line: LogLine = {
    timeMs: Number(field.get('t')),
    function: functionName,
    version: Number(field.get('v')),
    invocationId: field.get('i') ?? '',
    channel: toChannel(field.get('c')),
    line: field.get('l') ?? '',
  };
  return { id, line };
}

function toChannel(name: string | undefined): LogChannel {
  return logChannels.find((known) => known === name) ?? 'platform';
}

function isChosen(line: LogLine, channel: LogChannel | undefined): boolean {
  return channel === undefined || line.channel === channel;
}

/** The promise's value; undefined at once when the signal is aborted first, whatever the promise does then. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => resolve(undefined);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([promise, aborted]);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    promise.catch(() => {});
  }
}
