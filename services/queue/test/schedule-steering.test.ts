import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig, FunctionVersion, ScheduleDetail } from '@hob/contracts';
import { Redis } from 'ioredis';
import { queueKeys } from '../src/redis-keys.ts';
import { SchedulePauses } from '../src/schedule-pauses.ts';
import { ScheduleRuns } from '../src/schedule-runs.ts';
import { QueueFixture } from './support/queue-fixture.ts';
import { TestRedis } from './support/redis.ts';
import { until } from './support/until.ts';

const NEVER = '0 0 29 2 *';

function versionWith(
  schedule: NonNullable<FunctionConfig['schedule']>,
  more: Partial<FunctionConfig> = {},
): FunctionVersion {
  const about = { name: 'work', version: 1, digest: '', bundleBytes: 0, hasAssets: false, createdAt: '' };
  return { ...about, config: { schedule, ...more } as FunctionConfig };
}

/** How often a schedule has called. */
function calls({ invoker }: QueueFixture, name: string): number {
  return invoker.calls.filter(({ request }) => request.headers.includes(name)).length;
}

const hasCode = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;

test('A paused schedule calls nothing, through restarts and deploys and from two queues; missed times make no call', async () => {
  await using fixture = await QueueFixture.open();
  await using other = fixture.anotherQueue();
  const clock = { name: 'clock', everyMs: 1000 };
  const version = versionWith([clock, { name: 'tick', everyMs: 1000 }]);
  await Promise.all([fixture.queue.started([version]), other.started([version])]);
  await until('a call', () => calls(fixture, 'tick') >= 1);
  const { pausedAt } = await other.schedules.pause('work', 'tick');
  assert.ok(pausedAt !== undefined);
  assert.equal((await fixture.queue.schedules.pause('work', 'tick')).pausedAt, pausedAt, 'it is paused already');
  const passes = async (): Promise<void> => {
    const from = calls(fixture, 'clock');
    await until('two times pass', () => calls(fixture, 'clock') >= from + 2);
  };
  await passes();
  const made = calls(fixture, 'tick');
  await passes();
  assert.equal(calls(fixture, 'tick'), made);
  await fixture.queue.close();
  const queue = fixture.openQueue();
  await queue.started([version]);
  await queue.schedules.apply(versionWith([clock, { name: 'tick', cron: '* * * * * *' }]));
  await passes();
  assert.equal(calls(fixture, 'tick'), made);
  const [, record] = await queue.schedules.list();
  assert.deepEqual([record?.name, record?.pausedAt, record?.nextAt], ['tick', pausedAt, undefined]);
  const resumed = await queue.schedules.resume('work', 'tick');
  assert.equal(resumed.pausedAt, undefined);
  assert.ok((resumed.nextAt ?? '') > pausedAt);
  await until('it calls again', () => calls(fixture, 'tick') >= made + 2);
  const { runs } = await queue.schedules.read('work', 'tick');
  const times = runs.map(({ at }) => Date.parse(at));
  const firstMs = Date.parse(resumed.nextAt ?? '');
  for (const time of times) assert.ok(time <= Date.parse(pausedAt) || time >= firstMs, new Date(time).toISOString());
});

test('SchedulePauses covers a time that comes up after the resumption, and none of before the pause was known or after', async () => {
  await using server = await TestRedis.start();
  const redis = new Redis(server.socket);
  const pauses = new SchedulePauses(redis, queueKeys(server.target));
  const before = Date.now();
  assert.equal(await pauses.covers('f/a', before), false);
  await pauses.resume('f/a');
  assert.equal(await pauses.covers('f/a', before), false, 'what is not paused cannot be resumed');
  await pauses.pause('f/a');
  assert.equal(await pauses.covers('f/a', before), true);
  assert.equal(await pauses.covers('f/b', before), false);
  const during = Date.now();
  await pauses.resume('f/a');
  assert.equal(await pauses.covers('f/a', during), true);
  assert.equal(await pauses.covers('f/a', Date.now() + 1), false);
  redis.disconnect();
});

test('Schedules.run() makes the call now, as its entry says, also of a paused one, and its times stay', async () => {
  await using fixture = await QueueFixture.open();
  const { schedules } = fixture.queue;
  const version = versionWith([{ name: 'leap', cron: NEVER, method: 'PUT', path: '/a?b', body: '{"n":1}' }]);
  await schedules.apply(version);
  const before = await schedules.list();
  const id = await schedules.run(version, 'leap');
  await fixture.reached(id, 'succeeded');
  const { request, body } = fixture.invoker.calls[0] ?? assert.fail('it was called');
  assert.deepEqual([request.method, request.url, body], ['PUT', 'http://work/a?b', '{"n":1}']);
  assert.ok(request.headers.includes('hob-schedule'));
  assert.deepEqual(await schedules.list(), before);
  await schedules.pause('work', 'leap');
  await fixture.reached(await schedules.run(version, 'leap'), 'succeeded');
  assert.ok((await schedules.list())[0]?.pausedAt, 'it is paused all the same');
  await assert.rejects(schedules.run(version, 'other'), hasCode('ERR_SCHEDULE_NOT_FOUND'));
  await fixture.redis.kill();
  await assert.rejects(schedules.run(version, 'leap'), hasCode('ERR_QUEUE_UNAVAILABLE'));
  await assert.rejects(schedules.pause('work', 'leap'), hasCode('ERR_QUEUE_UNAVAILABLE'));
  await assert.rejects(schedules.read('work', 'leap'), hasCode('ERR_QUEUE_UNAVAILABLE'));
});

test('Schedules.read() tells the next times, and the last ten calls with what became of them', async () => {
  await using fixture = await QueueFixture.open();
  const { schedules } = fixture.queue;
  const at = '2100-01-01T00:00:00.000Z';
  const version = versionWith(
    [
      { name: 'noon', cron: '0 12 * * *', timezone: 'Asia/Tokyo' },
      { name: 'rate', everyMs: 3_600_000 },
      { name: 'once', at },
    ],
    { async: { maxAttempts: 1 } },
  );
  await schedules.apply(version);
  const noon = await schedules.read('work', 'noon');
  assert.equal(noon.nextTimes.length, 5);
  assert.equal(noon.nextTimes[0], noon.nextAt);
  for (const [index, time] of noon.nextTimes.entries()) {
    assert.match(time, /T03:00:00\.000Z$/, 'twelve in Tokyo');
    assert.equal(Date.parse(time), Date.parse(noon.nextAt ?? '') + index * 86_400_000);
  }
  assert.deepEqual((await schedules.read('work', 'once')).nextTimes, [at]);
  await until('the first of its times has made its call', () => calls(fixture, 'rate') === 1);
  const rate = await until('it is known', async () => {
    const detail = await schedules.read('work', 'rate');
    return detail.runs[0]?.status === 'succeeded' ? detail : undefined;
  });
  assert.equal(rate.runs[0]?.cause, 'time');
  const [first, second] = rate.nextTimes.map((time) => Date.parse(time));
  assert.deepEqual([rate.nextTimes.length, (second ?? 0) - (first ?? 0)], [5, 3_600_000]);

  fixture.invoker.behaviour = () => 500;
  const dead = await schedules.run(version, 'noon');
  const { endedAt, error } = await fixture.reached(dead, 'dead');
  const [run, ...more] = (await schedules.read('work', 'noon')).runs;
  assert.deepEqual(more, []);
  assert.deepEqual(
    { ...run, at: '' },
    { id: dead, cause: 'operator', at: '', status: 'dead', attempts: 1, endedAt, error },
  );
  fixture.invoker.behaviour = () => 'fine';
  const ids: string[] = [];
  for (let count = 0; count < 10; count++) ids.push(await schedules.run(version, 'noon'));
  const last = await schedules.read('work', 'noon');
  assert.deepEqual(new Set(last.runs.map(({ id }) => id)), new Set(ids), 'not the one before them');
  await schedules.pause('work', 'noon');
  const paused: ScheduleDetail = await schedules.read('work', 'noon');
  assert.deepEqual([paused.nextTimes, paused.nextAt], [[], undefined]);
});

test('What is noted of a schedule is no hindrance when the clock was set back since', async () => {
  await using fixture = await QueueFixture.open();
  const redis = new Redis(fixture.redis.socket);
  const keys = queueKeys(fixture.redis.target);
  const laterMs = Date.now() + 3_600_000;
  const runs = new ScheduleRuns(redis, keys);
  for (let run = 0; run < 10; run += 1)
    await runs.note('work/leap', { id: `${run}`, cause: 'time', atMs: laterMs + run });
  await runs.note('work/leap', { id: 'new', cause: 'time', atMs: Date.now() });
  assert.deepEqual(
    (await runs.last('work/leap')).map(({ id }) => id),
    ['new'],
  );
  const pauses = new SchedulePauses(redis, keys);
  await redis.set(keys.resumed('work/leap'), laterMs);
  assert.equal(await pauses.covers('work/leap', Date.now()), false);
  await redis.set(keys.resumed('work/leap'), Date.now());
  assert.equal(await pauses.covers('work/leap', Date.now() - 1000), true);
  redis.disconnect();
});

test('Schedules.read() names a call of which nothing else is kept any more', async () => {
  await using fixture = await QueueFixture.open();
  const redis = new Redis(fixture.redis.socket);
  await fixture.queue.schedules.apply(versionWith([{ name: 'leap', cron: NEVER }]));
  const noted = { id: 'gone', cause: 'time', atMs: 1_700_000_000_000 } as const;
  await new ScheduleRuns(redis, queueKeys(fixture.redis.target)).note('work/leap', noted);
  await new ScheduleRuns(redis, queueKeys(fixture.redis.target)).note('work/leap', noted);
  const { runs } = await fixture.queue.schedules.read('work', 'leap');
  assert.deepEqual(runs, [{ id: 'gone', cause: 'time', at: '2023-11-14T22:13:20.000Z' }]);
  redis.disconnect();
});

test('A pause belongs to the name: it outlives a version without it, and ends with the function', async () => {
  await using fixture = await QueueFixture.open();
  const { schedules } = fixture.queue;
  const version = versionWith([{ name: 'leap', cron: NEVER }]);
  await schedules.apply(version);
  await schedules.run(version, 'leap');
  const { pausedAt } = await schedules.pause('work', 'leap');
  await schedules.apply(versionWith([]));
  assert.deepEqual(await schedules.list(), []);
  await assert.rejects(schedules.read('work', 'leap'), hasCode('ERR_SCHEDULE_NOT_FOUND'));
  await assert.rejects(schedules.resume('work', 'leap'), hasCode('ERR_SCHEDULE_NOT_FOUND'));
  await schedules.apply(version);
  const back = await schedules.read('work', 'leap');
  assert.deepEqual([back.pausedAt, back.runs], [pausedAt, []]);
  await schedules.remove('work');
  await schedules.apply(version);
  assert.equal((await schedules.list())[0]?.pausedAt, undefined);
  await schedules.pause('work', 'leap');
  await fixture.queue.started([]);
  await fixture.queue.started([version]);
  assert.equal((await schedules.list())[0]?.pausedAt, undefined, 'the function was gone at a start');
});

test('InvocationQueue.counts() counts schedules with a time to come, active and paused', async () => {
  await using fixture = await QueueFixture.open();
  const { schedules } = fixture.queue;
  const soon = new Date(Date.now() + 1000).toISOString();
  const entries = ['a', 'b', 'c'].map((name) => ({ name, cron: NEVER }));
  await schedules.apply(versionWith([...entries, { name: 'soon', at: soon }]));
  await schedules.pause('work', 'b');
  assert.deepEqual((await fixture.queue.counts())?.schedules, { active: 3, paused: 1 });
  await until('it is called', () => calls(fixture, 'soon') === 1);
  await schedules.apply(versionWith(entries.slice(1)));
  assert.deepEqual((await fixture.queue.counts())?.schedules, { active: 1, paused: 1 });
});
