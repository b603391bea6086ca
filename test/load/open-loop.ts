import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

/** Calls that are due leave together, so often, ms. */
const TURN_MS = 2;

/** What became of one call. */
export interface OpenCall {
  /** When it left, monotonic ms. */
  readonly atMs: number;
  readonly tookMs: number;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** `warm`, `pool` or `cold`, when a container answered. */
  readonly start: string | undefined;
}

/** What left in a flood. */
export interface Flood {
  readonly calls: readonly Promise<OpenCall>[];
  /** How many did not leave, as all connections were in use: they were never offered, nor refused. */
  readonly unsent: number;
  /** From the first call until the last one left, s. */
  readonly seconds: number;
}

/** Calls one path at random times, whether earlier calls were answered or not, over a bounded number of connections. */
export class OpenLoop implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #path: string;
  readonly #connections: number;
  #open = 0;

  constructor(url: string, path: string, connections: number) {
    this.#pool = new Pool(url, { connections, pipelining: 1, headersTimeout: 60_000 });
    this.#path = path;
    this.#connections = connections;
  }

  /** Never rejects. */
  call(): Promise<OpenCall> {
    const { promise, resolve } = Promise.withResolvers<OpenCall>();
    const atMs = performance.now();
    let status = 0;
    let header = (_name: string): string | undefined => undefined;
    const over = (): void => {
      this.#open -= 1;
      const tookMs = performance.now() - atMs;
      resolve({ atMs, tookMs, status, retryAfter: header('retry-after'), start: header('hob-start') });
    };
    this.#open += 1;
    this.#pool.dispatch(
      { method: 'GET', path: this.#path },
      {
        onRequestStart: () => undefined,
        onResponseData: () => undefined,
        onResponseStart: (_, statusCode, headers) => {
          status = statusCode;
          header = (name) => headers[name]?.toString();
        },
        onResponseEnd: over,
        onResponseError: () => {
          status = 0;
          over();
        },
      },
    );
    return promise;
  }

  /** So many calls a second, for so long. Resolved when the last one has left. */
  async flood(perSecond: number, seconds: number): Promise<Flood> {
    const startMs = performance.now();
    const calls: Promise<OpenCall>[] = [];
    let unsent = 0;
    for (let nextMs = startMs; ;) {
      const nowMs = performance.now();
      if (nowMs - startMs >= 1000 * seconds) break;
      for (; nextMs <= nowMs; nextMs += (-Math.log(1 - Math.random()) / perSecond) * 1000) {
        if (this.#open < this.#connections) calls.push(this.call());
        else unsent += 1;
      }
      await sleep(TURN_MS);
    }
    return { calls, unsent, seconds: (performance.now() - startMs) / 1000 };
  }

  /** Each caller calls again as soon as it was answered. @returns how many calls a second were answered well. */
  async capacity(callers: number, seconds: number): Promise<number> {
    const startMs = performance.now();
    let answered = 0;
    const callOnAndOn = async (): Promise<void> => {
      while (performance.now() - startMs < 1000 * seconds) if ((await this.call()).status === 200) answered += 1;
    };
    await Promise.all(Array.from({ length: callers }, callOnAndOn));
    return (1000 * answered) / (performance.now() - startMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.destroy();
  }
}
