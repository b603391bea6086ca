import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const DEPLOYS = 20;
/** Calls of a function that serves so many in each container. */
interface Steadiness {
  readonly concurrency: number;
  /** Each open call has one. While all have, no further call is offered: a host that is too slow for the rate is to fail no call either. */
  readonly connections: number;
}

/** Calls begun in a second, whether those before have ended or not. */
const CALLS_PER_SECOND = Number(process.env['HOB_TEST_CALLS_PER_SECOND'] ?? '1000');
const RATES: readonly Steadiness[] = [
  { concurrency: 16, connections: 256 },
  { concurrency: 1, connections: 64 },
];
const TICK_MS = 5;

const source = (version: number): string => `
  export default async (request: Request): Promise<Response> => {
    await new Promise((resolve) => setTimeout(resolve, new URL(request.url).search === '?slow' ? 50 : 1));
    return new Response('version ${version}');
  };`;

/** A steady rate of calls: one that takes long delays none that comes after it. */
class SteadyCalls implements AsyncDisposable {
  readonly failures: string[] = [];
  readonly seen = new Set<string>();
  begun = 0;
  ended = 0;
  /** How many calls were due while as many were open as may be. */
  unoffered = 0;
  #startedMs = 0;
  readonly #pool: Pool;
  readonly #rate: Steadiness;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(url: string, rate: Steadiness) {
    this.#rate = rate;
    this.#pool = new Pool(url, { connections: rate.connections });
    this.#running = this.#run();
  }

  /** Resolved when every call has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await until(
      () => `the last of ${this.begun} calls ends`,
      () => this.ended === this.begun,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#pool.destroy();
  }

  async #run(): Promise<void> {
    const { connections } = this.#rate;
    this.#startedMs = performance.now();
    while (!this.#stop.signal.aborted) {
      const due = ((performance.now() - this.#startedMs) * CALLS_PER_SECOND) / 1000;
      while (this.begun + this.unoffered < due) {
        if (this.begun - this.ended < connections) void this.#call(this.begun++);
        else this.unoffered += 1;
      }
      await sleep(TICK_MS);
    }
  }

  /** What was offered until now. */
  toString(): string {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const perSecond = (calls: number): string => (calls / seconds).toFixed(0);
    return `${this.begun} calls in ${seconds.toFixed(1)} s: ${perSecond(this.begun)} a second, ${perSecond(this.unoffered)} more were due`;
  }

  async #call(at: number): Promise<void> {
    try {
      const path = `/fn/steady${at % 10 === 0 ? '?slow' : ''}`;
      const answer = await this.#pool.request({ method: 'GET', path });
      const text = await answer.body.text();
      const isRight = answer.statusCode === 200 && text === `version ${String(answer.headers['hob-version'])}`;
      if (isRight) this.seen.add(text);
      else this.failures.push(`${answer.statusCode} ${text}`);
    } catch (error) {
      this.failures.push(String(error));
    }
    this.ended += 1;
  }
}

for (const rate of RATES) {
  const { concurrency } = rate;
  test(`${DEPLOYS} deploys and a rollback fail and reset none of ${CALLS_PER_SECOND} calls a second with a concurrency of ${concurrency}, and old containers go`, async (t) => {
    await using hob = await HobServer.create();
    await using folder = await TemporaryFolder.create('steady');
    const write = (version: number) =>
      writeFunction(join(folder.path, 'steady'), { name: 'steady', concurrency }, source(version));
    await hob.deploy(await write(1));
    await using calls = new SteadyCalls(hob.url, rate);
    for (let version = 2; version <= DEPLOYS + 1; version += 1) {
      await hob.deploy(await write(version));
      await until(`version ${version} is called`, () => calls.seen.has(`version ${version}`));
    }
    const rolledBack = await hob.hob(['rollback', 'steady']);
    assert.equal(rolledBack.exitCode, 0, rolledBack.stderr);
    await until('only version 20 has containers', async () => {
      const { functions } = (await hob.control('stats')) as { functions: readonly { readonly version: number }[] };
      return functions.length > 0 && functions.every(({ version }) => version === DEPLOYS);
    });
    t.diagnostic(String(calls));
    await calls.stop();
    assert.deepEqual(calls.failures, []);
    assert.equal(calls.seen.size, DEPLOYS + 1);
  });
}
