import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { InvocationRecord } from '@hob/contracts';
import { HobServer, repository } from '../support/hob-server.ts';
import { cgroupFolders, cgroupName, deadSockets, mounts } from '../support/host-census.ts';
import { descendants, isRunning, type ProcessSight } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { assertDoubledByKills, type Kill } from './doubled-runs.ts';
import type { Effects, Run } from './effects.ts';
import { endsOf } from './ends.ts';
import type { Fault, HobFaultKind } from './fault-plan.ts';
import { HobClient, outcomeText, type PlannedCall, planCalls } from './hob-client.ts';
import { HobRecords } from './hob-records.ts';
import { strike } from './hob-strike.ts';
import { Outcomes } from './outcomes.ts';

/** What a client may be told when its call is not accepted: hob or Redis is away, or another request with the key is being answered. */
const REFUSALS = new Set(['no answer', 'ERR_QUEUE_UNAVAILABLE', 'ERR_SCHED_CLOSED', 'ERR_IDEMPOTENCY_IN_PROGRESS']);
/** How a call may fail that is not made to: when its container is killed, and when it is not to be made again. */
const FAILURES = new Set(['ERR_FN_CRASHED']);
const FAILURES_ONCE = new Set([...FAILURES, 'ERR_FN_INTERRUPTED']);

export interface HobRoundOptions {
  /** How many calls are to be made. */
  readonly calls: number;
  readonly faults: readonly Fault<HobFaultKind>[];
  readonly random: () => number;
  /** What the function has done outside; nothing yet. */
  readonly effects: Effects;
}

/**
 * Has calls of a whole hob made, most of them asynchronous, in a world of its own, while faults come; then checks that each that was accepted
 * succeeded, where that was recorded outside, or is a dead letter; that for each idempotency key one success was recorded, and one outcome was
 * told, each time; that nothing was run twice but for a kill in its middle, and nothing that is to be run at most once at all; and that
 * nothing is left.
 *
 * @returns what happened, for people.
 * @throws what is not as it should be.
 */
export async function hobRound({ calls, faults, random, effects }: HobRoundOptions): Promise<string> {
  const mountsBefore = mounts();
  await using hob = await HobServer.create({ env: { HOB_ASYNC_CONCURRENCY: '8' } });
  await hob.deploy(...['effect', 'effect-once'].map((name) => join(repository, 'test/functions', name)));
  const cgroups = cgroupName(hob.pid);
  const seen: ProcessSight[] = [];
  const kills: Kill[] = [];
  const outcomes = new Outcomes();
  const records = new HobRecords(hob, outcomes);
  const client = new HobClient(hob, effects, outcomes);
  const planned = planCalls(random, calls);
  const over = new AbortController();
  const making = Promise.all([
    client.make(planned).finally(() => over.abort()),
    records.watch(client.accepted, over.signal),
  ]);
  making.catch(() => undefined); // told below, when the faults are over
  for (const fault of faults) {
    const due = calls * fault.share;
    await until(`${due} calls have run`, () => over.signal.aborted || effects.runs.size >= due);
    seen.push(...descendants(hob.pid));
    kills.push(...(await strike(fault, hob)));
  }
  await making;
  const ends = await endsOf(client.accepted.keys(), (id) => records.read(id));
  await checkEnds(ends, { client, effects, records });
  // Once more, all of them: what was told before is told again.
  await client.make(planned.filter(({ key }) => key !== undefined));
  await endsOf(client.accepted.keys(), (id) => records.read(id));
  checkKeys(planned, outcomes, effects);
  const doubled = countDoubled(planned, effects, kills);
  seen.push(...descendants(hob.pid));
  assert.equal(await hob.stop(), 0, hob.output);
  assert.deepEqual(seen.filter(isRunning), [], 'processes are left');
  assert.deepEqual(cgroupFolders(cgroups), [], 'cgroups are left');
  assert.deepEqual(mounts(), mountsBefore, 'mounts are left');
  assert.deepEqual(await deadSockets(hob.dataDir), [], 'sockets are left');
  const dead = [...ends.values()].filter(({ status }) => status === 'dead').length;
  const refusals = [...client.refusals].map(([code, count]) => `${code} ${count} times`).join(', ');
  const cut = [...ends.values()].filter(({ error }) => error?.code === 'ERR_FN_INTERRUPTED').length;
  return `${client.accepted.size} accepted, ${dead} dead letters, ${cut} of them cut in the middle, ${doubled} run twice, ${outcomes.count} outcomes told; not accepted: ${refusals}`;
}

interface Told {
  readonly client: HobClient;
  readonly effects: Effects;
  readonly records: HobRecords;
}

async function checkEnds(
  ends: ReadonlyMap<string, InvocationRecord>,
  { client, effects, records }: Told,
): Promise<void> {
  for (const [id, { number, isNever, isOnce, key, bodyBytes }] of client.accepted) {
    const { status, result, error } = ends.get(id) ?? {};
    const runs = effects.runs.get(number) ?? [];
    if (status === 'dead') {
      assert.equal((await records.get(`dead-letters/${id}`))?.status, 200, `${id} is no dead letter`);
      if (isOnce && !isNever) assert.ok(FAILURES_ONCE.has(error?.code ?? ''), `${id}: ${error?.message}`);
    } else {
      assert.equal(status, 'succeeded', `${id} of call ${number}`);
      assert.ok(!isNever, `${id} never succeeds`);
      const recorded = effects.records.get(key ?? id);
      assert.deepEqual(recorded, { call: number, answer: result?.body }, `what ${id} has done`);
      assert.equal(effects.bodies.get(id), bodyBytes, `the body of ${id}`);
    }
    // Without a key a call whose answer was lost is sent again, as another event.
    if (key !== undefined) for (const run of runs) assert.equal(run.id, id, `events of ${key}`);
  }
  const unexpected = [...client.refusals.keys()].filter((code) => !REFUSALS.has(code));
  assert.deepEqual(unexpected, [], 'answers to calls that were not accepted');
}

/**
 * However often a call with a key was run, it goes by one name, so that what it does is recorded once; that is what was told of a
 * synchronous one.
 */
function checkKeys(planned: readonly PlannedCall[], outcomes: Outcomes, effects: Effects): void {
  const recorded = Map.groupBy(effects.records, ([, { call }]) => call);
  for (const { key, isSync, isNever, isOnce, number } of planned) {
    if (key === undefined) continue;
    const outcome = outcomes.of(key) ?? assert.fail(`nothing was told of ${key}`);
    const [record, ...others] = recorded.get(number) ?? [];
    assert.deepEqual(others, [], `what ${key} has done beside ${JSON.stringify(record)}`);
    if (!isSync) continue;
    const success = record && outcomeText(200, record[1].answer);
    const code = /"code":"(\w+)"/.exec(outcome)?.[1] ?? '';
    const isFailure = (isNever && code === 'ERR_FN_THREW') || (isOnce ? FAILURES_ONCE : FAILURES).has(code);
    if (!isFailure) assert.equal(outcome, success, `what was told of ${key}`);
  }
}

/** Each event, and each call with a key, is run once, but for kills, which make no difference to one that is run at most once. */
function countDoubled(planned: readonly PlannedCall[], effects: Effects, kills: readonly Kill[]): number {
  let count = 0;
  for (const { number, key, isNever, isSync, isOnce } of planned) {
    if (isNever && !isSync && !isOnce) continue; // It is tried again as often as its policy says.
    const runs = effects.runs.get(number) ?? [];
    const groups = key === undefined ? Map.groupBy(runs, ({ id }: Run) => id) : new Map([[key, runs]]);
    for (const [what, of] of groups) count += assertDoubledByKills(what, of, isOnce ? [] : kills);
  }
  return count;
}
