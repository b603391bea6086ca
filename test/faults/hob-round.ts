import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { InvocationRecord } from '@hob/contracts';
import { HobServer, repository } from '../support/hob-server.ts';
import { cgroupFolders, cgroupName, deadSockets, mounts } from '../support/host-census.ts';
import { call } from '../support/http-call.ts';
import { descendants, isRunning, type ProcessSight, signal } from '../support/processes.ts';
import { until } from '../support/until.ts';
import type { Effects } from './effects.ts';
import { endsOf } from './ends.ts';
import type { Fault, HobFaultKind } from './fault-plan.ts';
import { HobClient, planCalls } from './hob-client.ts';
import { type HobPart, partsOf } from './hob-parts.ts';

/** What a client may be told when its call is not accepted: hob or Redis is away, or another request with the key is being answered. */
const REFUSALS = new Set(['no answer', 'ERR_QUEUE_UNAVAILABLE', 'ERR_SCHED_CLOSED', 'ERR_IDEMPOTENCY_IN_PROGRESS']);

export interface HobRoundOptions {
  /** How many calls are to be accepted. */
  readonly calls: number;
  readonly faults: readonly Fault<HobFaultKind>[];
  readonly random: () => number;
  /** What the function has done outside; nothing yet. */
  readonly effects: Effects;
}

/**
 * Has calls of a whole hob accepted and run, in a world of its own, while faults come; then checks that each succeeded, where that was
 * recorded outside, or is a dead letter, that there was one event for each idempotency key, and that nothing is left.
 *
 * @returns what happened, for people.
 * @throws what is not as it should be.
 */
export async function hobRound({ calls, faults, random, effects }: HobRoundOptions): Promise<string> {
  const mountsBefore = mounts();
  await using hob = await HobServer.create({ env: { HOB_ASYNC_CONCURRENCY: '8' } });
  await hob.deploy(join(repository, 'test/functions/effect'));
  const cgroups = cgroupName(hob.pid);
  const seen: ProcessSight[] = [];
  const client = new HobClient(hob, effects);
  const over = { all: false };
  const making = client.make(planCalls(random, calls)).finally(() => (over.all = true));
  making.catch(() => undefined); // told below, when the faults are over
  for (const fault of faults) {
    const due = calls * fault.share;
    await until(`${due} calls have run`, () => over.all || effects.events.size >= due);
    seen.push(...descendants(hob.pid));
    await strike(fault, hob);
  }
  await making;
  const ends = await endsOf(client.accepted.keys(), (id) => recordOf(id, hob));
  await checkEnds(ends, { client, effects, hob });
  seen.push(...descendants(hob.pid));
  assert.equal(await hob.stop(), 0, hob.output);
  assert.deepEqual(seen.filter(isRunning), [], 'processes are left');
  assert.deepEqual(cgroupFolders(cgroups), [], 'cgroups are left');
  assert.deepEqual(mounts(), mountsBefore, 'mounts are left');
  assert.deepEqual(await deadSockets(hob.dataDir), [], 'sockets are left');
  const dead = [...ends.values()].filter(({ status }) => status === 'dead').length;
  const refusals = [...client.refusals].map(([code, count]) => `${code} ${count} times`).join(', ');
  return `${client.accepted.size} accepted, ${dead} dead letters; not accepted: ${refusals}`;
}

interface Told {
  readonly client: HobClient;
  readonly effects: Effects;
  readonly hob: HobServer;
}

async function checkEnds(ends: ReadonlyMap<string, InvocationRecord>, { client, effects, hob }: Told): Promise<void> {
  for (const [id, { number, isNever, key, bodyBytes }] of client.accepted) {
    const status = ends.get(id)?.status;
    const events = effects.events.get(number) ?? new Set();
    if (status === 'dead') {
      const letter = await call(`${hob.url}/v1/dead-letters/${id}`, { headers: authorized(hob) });
      assert.equal(letter.status, 200, `${id} is no dead letter`);
    } else {
      assert.equal(status, 'succeeded', `${id} of call ${number}`);
      assert.ok(!isNever, `${id} never succeeds`);
      assert.ok(events.has(id), `${id} of call ${number} succeeded, unseen`);
      assert.equal(effects.bodies.get(id), bodyBytes, `the body of ${id}`);
    }
    // Without a key a call whose answer was lost is sent again, as another event.
    if (key !== undefined) for (const event of events) assert.equal(event, id, `events of ${key}`);
  }
  const unexpected = [...client.refusals.keys()].filter((code) => !REFUSALS.has(code));
  assert.deepEqual(unexpected, [], 'answers to calls that were not accepted');
}

async function recordOf(id: string, hob: HobServer): Promise<InvocationRecord | undefined> {
  const answer = await call(`${hob.url}/v1/invocations/${id}`, { headers: authorized(hob) });
  if (answer.status === 503) return undefined; // After the last fault Redis may not be there yet.
  assert.equal(answer.status, 200, `${id}: ${answer.body.toString()}`);
  return JSON.parse(answer.body.toString()) as InvocationRecord;
}

function authorized({ token }: HobServer): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

async function strike({ kind, pick, pauseMs, awayMs }: Fault<HobFaultKind>, hob: HobServer): Promise<void> {
  const [how, part] = kind.split('-') as ['kill' | 'stop', HobPart];
  const target = await until(`there is a ${part}`, () => {
    const there = partsOf(hob.pid, part);
    return there[Math.floor(pick * there.length)];
  });
  if (how === 'stop') {
    signal(target.pid, 'SIGSTOP');
    await delay(pauseMs);
    if (isRunning(target)) signal(target.pid, 'SIGCONT');
    return;
  }
  signal(target.pid, 'SIGKILL');
  if (part !== 'server' && part !== 'launcher') return;
  await hob.ended();
  await delay(awayMs);
  await hob.start();
}
