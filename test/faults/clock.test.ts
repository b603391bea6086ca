import assert from 'node:assert/strict';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import type { FunctionSnapshot, InvocationRecord, ScheduleDetail } from '@hob/contracts';
import { request } from 'undici';
import { type FunctionSettings, writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { type Answer, problem } from '../support/http-call.ts';
import { JumpingClock } from '../support/jumping-clock.ts';
import { receiptOf } from '../support/receipt.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;
const JUMPS = [
  ['forward', HOUR_MS],
  ['back', -HOUR_MS],
] as const;

/** Each waits for something else while the clock is set. */
const functions: readonly FunctionSettings[] = [
  { name: 'patient', timeoutMs: 120_000 },
  { name: 'hasty', timeoutMs: 4000 },
  { name: 'calm', timeoutMs: 120_000 },
  { name: 'warned', timeoutMs: 60_000, abortGraceMs: 55_000 },
  { name: 'kept', keepAliveMs: 120_000 },
  { name: 'brief', keepAliveMs: 3000 },
  { name: 'retried', async: { backoffMs: 10_000, backoffMaxMs: 10_000 } },
  { name: 'ticking', schedule: [{ name: 'tick', everyMs: 1000 }] },
];

const source = `
  import { randomUUID } from 'node:crypto';
  export default async (request: Request, ctx): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const body = await request.text();
    if (pathname === '/never') await new Promise(() => undefined);
    if (pathname === '/now') return new Response(String(Date.now()));
    if (pathname === '/sleep') await new Promise((resolve) => setTimeout(resolve, 3000));
    if (pathname === '/fails' && request.headers.get('hob-attempt') === '1') throw new Error('the first attempt fails');
    return new Response(randomUUID());
  };`;
/** It gets its context when its whole body is there, and with it a signal that waits for its deadline. */
const signalled = `
  export const handler = async ({ isToEnd }, context) => {
    const { signal } = context;
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await (isToEnd ? aborted : Promise.race([aborted, new Promise((resolve) => setTimeout(resolve, 500))]));
    const leftMs = context.getRemainingTimeInMillis();
    return [signal.aborted, leftMs > 0 && leftMs <= 120_000];
  };`;

let clock: JumpingClock;
let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  clock = await JumpingClock.create();
  folder = await TemporaryFolder.create('clock');
  hob = await HobServer.create({ under: clock.command, env: { HOB_FREEZE_AFTER_MS: '2000' } });
  for (const settings of functions) {
    const config = { memoryMb: 128, ...settings };
    const isSignalled = settings.name === 'calm' || settings.name === 'warned';
    await hob.deploy(await writeFunction(join(folder.path, settings.name), config, isSignalled ? signalled : source));
  }
});
after(async () => {
  assert.equal(await hob.stop(), 0, hob.output);
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  await clock[Symbol.asyncDispose]();
});

async function snapshotOf(name: string): Promise<FunctionSnapshot | undefined> {
  const stats = (await hob.control('stats')) as { readonly functions: readonly FunctionSnapshot[] };
  return stats.functions.find((each) => each.function === name);
}

/** A call whose function has not got all of its event yet. */
async function begun(name: string, event: string): Promise<{ readonly goOn: () => Promise<string> }> {
  const body = new PassThrough();
  const answer = request(`${hob.url}/fn/${name}`, { method: 'POST', body });
  answer.catch(() => undefined); // told by goOn
  body.write(event);
  await until(`${name} runs`, async () => (await snapshotOf(name))?.busy === 1);
  const goOn = async (): Promise<string> => {
    body.end();
    const { statusCode, body: text } = await answer;
    return `${statusCode} ${await text.text()}`;
  };
  return { goOn };
}

async function accepted(path: string): Promise<InvocationRecord> {
  const answer = await hob.fn(path, { headers: { 'hob-invocation-type': 'async' }, body: '' });
  assert.equal(answer.status, 202, problem(answer));
  const { id } = JSON.parse(answer.body.toString()) as { id: string };
  return (await hob.control(`invocations/${id}`)) as InvocationRecord;
}

async function reached(id: string, status: string): Promise<InvocationRecord> {
  return until(`${id} is ${status}`, async () => {
    const record = (await hob.control(`invocations/${id}`)) as InvocationRecord;
    return record.status === status && record;
  });
}

function keyed(path: string, key: string): Promise<Answer> {
  return hob.fn(path, { headers: { 'idempotency-key': key }, body: '' });
}

async function ticks(): Promise<string[]> {
  const { runs } = (await hob.control('schedules/ticking/tick')) as ScheduleDetail;
  return runs.map(({ id }) => id);
}

function assertShows(ms: number): void {
  assert.ok(Math.abs(ms - clock.nowMs()) < HOUR_MS / 2, `${new Date(ms).toISOString()} is not what the clock shows`);
}

for (const [what, jumpMs] of JUMPS) {
  test(`When the clock of a whole hob is set ${what} by an hour, no time-out, idle container, event, key or schedule is disturbed`, async () => {
    const done = await keyed('kept', `done-${what}`);
    const first = await until('the schedule calls', async () => (await ticks())[0]);
    const calm = await begun('calm', '{}');
    const warned = await begun('warned', '{"isToEnd":true}');
    const sleeping = keyed('retried/sleep', `made-${what}`);
    const running = await accepted('patient/sleep');
    const failing = await accepted('retried/fails');
    await reached(failing.id, 'failed');
    await hob.fn('brief');
    const hasty = hob.fn('hasty/never');
    await until('it runs', async () => (await snapshotOf('hasty'))?.busy === 1);
    assert.equal((await hob.fn('kept')).status, 200);

    clock.jump(jumpMs);

    assertShows(Number((await hob.fn('brief/now')).body.toString()));
    assertShows(Date.parse((await accepted('brief')).createdAt));
    assert.equal(problem(await hasty), '504 ERR_FN_TIMEOUT');
    await until('the container that is kept for seconds goes', async () => !(await snapshotOf('brief'))?.idle);
    assert.equal(receiptOf(await hob.fn('kept'))['start'], 'warm', 'the container that is kept for minutes is there');
    assert.equal(await calm.goOn(), '200 [false,true]');
    assert.equal(await warned.goOn(), '200 [true,true]');
    assert.equal((await reached(failing.id, 'succeeded')).attempts, 2);
    await reached(running.id, 'succeeded');
    const again = await keyed('kept', `done-${what}`);
    assert.equal(`${again.status} ${again.body.toString()}`, `200 ${done.body.toString()}`);
    const answer = await sleeping;
    assert.equal(answer.status, 200);
    assert.equal((await keyed('retried/sleep', `made-${what}`)).body.toString(), answer.body.toString());
    await until('the schedule goes on', async () => !(await ticks()).includes(first));
  });
}
