import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InvocationRecord } from '@hob/contracts';
import { exampleFolder } from './example.ts';
import { HobServer, repository } from './hob-server.ts';
import { until } from './until.ts';

/** How many events are offered at the same time. */
const CALLERS = 32;
/** Between two synchronous calls, ms. */
const PAUSE_MS = 10;
const QUIET_CALLS = 300;
/** A twentieth of the events after another is waited for. */
const STEPS = 20;

/** Short synchronous calls, made one after another. */
export interface SynchronousCalls {
  readonly calls: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** What was seen while a backlog drained. */
export interface Drain {
  readonly acceptedPerSecond: number;
  readonly drainedPerSecond: number;
  /** Before the backlog. */
  readonly quiet: SynchronousCalls;
  /** While it drained. */
  readonly beside: SynchronousCalls;
}

/** Has so many asynchronous calls accepted, of a millisecond's computing each, and calls another function while they are made. */
export async function drainBacklog(events: number): Promise<Drain> {
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await hob.deploy(exampleFolder('hello'), join(repository, 'test/functions/burn'));
  await callOnAndOn(hob, (calls) => calls < QUIET_CALLS / 3);
  const quiet = await callOnAndOn(hob, (calls) => calls < QUIET_CALLS);
  const offeredMs = performance.now();
  const ids = await accepted(hob, events);
  const startedMs = performance.now();
  const statusOf = async (id = '') => ((await hob.control(`invocations/${id}`)) as InvocationRecord).status;
  assert.equal(await statusOf(ids.at(-1)), 'waiting', 'there is no backlog');
  let isDrained = false;
  // They are made in their order, so that one after another can be waited for, however long all of them take.
  const drain = async (): Promise<number> => {
    for (let at = events / STEPS - 1; at < events; at += events / STEPS) {
      await until(`event ${at} has succeeded`, async () => (await statusOf(ids[at])) === 'succeeded');
    }
    return performance.now();
  };
  const drained = drain().finally(() => (isDrained = true));
  const beside = await callOnAndOn(hob, () => !isDrained);
  return {
    acceptedPerSecond: (1000 * events) / (startedMs - offeredMs),
    drainedPerSecond: (1000 * events) / ((await drained) - startedMs),
    quiet,
    beside,
  };
}

async function callOnAndOn(hob: HobServer, goOn: (calls: number) => boolean): Promise<SynchronousCalls> {
  const times: number[] = [];
  while (goOn(times.length)) {
    await sleep(PAUSE_MS);
    const before = performance.now();
    const answer = await hob.fn('hello?name=you');
    times.push(performance.now() - before);
    assert.equal(answer.status, 200);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? NaN;
  return { calls: times.length, medianMs: at(0.5), p99Ms: at(0.99) };
}

/** @returns the ids, in the order of their acceptance. */
async function accepted(hob: HobServer, events: number): Promise<string[]> {
  const ids: string[] = [];
  let offered = 0;
  const offer = async (): Promise<void> => {
    while (offered < events) {
      offered += 1;
      const answer = await hob.fn('burn?ms=1', { headers: { 'hob-invocation-type': 'async' } });
      assert.equal(answer.status, 202);
      ids.push((JSON.parse(answer.body.toString()) as { id: string }).id);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, offer));
  return ids;
}

/** What was seen, in words. */
export function drainText({ acceptedPerSecond, drainedPerSecond, quiet, beside }: Drain): string {
  const times = ({ medianMs, p99Ms }: SynchronousCalls): string => `${medianMs.toFixed(2)} and ${p99Ms.toFixed(2)} ms`;
  return [
    `${acceptedPerSecond.toFixed(0)} accepted a second, ${drainedPerSecond.toFixed(0)} made a second`,
    `a synchronous call, median and p99: ${times(quiet)}; beside the backlog ${times(beside)}, in ${beside.calls} calls`,
  ].join('\n');
}
