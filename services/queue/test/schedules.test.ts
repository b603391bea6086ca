import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig, FunctionVersion } from '@hob/contracts';
import { QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

type Schedule = NonNullable<FunctionConfig['schedule']>;

function versionWith(schedule: Schedule, name = 'work'): FunctionVersion {
  const about = { version: 1, digest: '', bundleBytes: 0, hasAssets: false, createdAt: '' };
  return { name, ...about, config: { schedule } as FunctionConfig };
}

/** How often a schedule has called. */
function calls({ invoker }: QueueFixture, name: string): number {
  return invoker.calls.filter(({ request }) => request.headers.includes(name)).length;
}

test('Schedules call at a fixed rate, by cron with seconds, and once, with the path, method and body that they say', async () => {
  await using fixture = await QueueFixture.open();
  const at = new Date(Date.now() + 1500).toISOString();
  const version = versionWith([
    { name: 'rate', everyMs: 1000, method: 'PUT', path: '/a?b', body: '{"n":1}' },
    { name: 'cron', cron: '* * * * * *', timezone: 'Europe/Berlin' },
    { name: 'once', at },
  ]);
  await fixture.queue.schedules.apply(version);
  const { schedules } = fixture.queue;
  assert.deepEqual(
    (await schedules.list()).map(({ function: of, name }) => `${of}/${name}`),
    ['work/cron', 'work/once', 'work/rate'],
  );
  assert.ok(((await schedules.list())[0]?.nextAt ?? '') > version.createdAt);
  await until('three of each', () => calls(fixture, 'rate') >= 3 && calls(fixture, 'cron') >= 3);
  await until('the one', () => calls(fixture, 'once') === 1);
  const call = fixture.invoker.calls.find(({ request }) => request.headers.includes('rate'));
  assert.deepEqual([call?.request.method, call?.request.url, call?.body], ['PUT', 'http://work/a?b', '{"n":1}']);
  const before = calls(fixture, 'cron');
  await until('two more', () => calls(fixture, 'cron') >= before + 2);
  assert.equal(calls(fixture, 'once'), 1);
  await schedules.apply(version);
  const seen = calls(fixture, 'cron');
  await until('it goes on', () => calls(fixture, 'cron') > seen);
  assert.equal(calls(fixture, 'once'), 1, 'what has passed does not come again');
});

test('Two queues on one Redis call once for each time', async () => {
  await using fixture = await QueueFixture.open();
  await using other = fixture.anotherQueue();
  const version = versionWith([{ name: 'tick', cron: '* * * * * *' }]);
  await Promise.all([fixture.queue.started([version]), other.started([version])]);
  await until('five calls', () => calls(fixture, 'tick') >= 5);
  const ids = fixture.invoker.calls
    .filter(({ request }) => request.headers.includes('tick'))
    .map(({ request }) => request.id);
  const records = await Promise.all(ids.map((id) => fixture.queue.read(id)));
  const seconds = records.map((record) => Math.floor(Date.parse(record?.createdAt ?? '') / 1000));
  assert.equal(new Set(ids).size, ids.length, 'no event twice');
  assert.equal(new Set(seconds).size, seconds.length, `one a second: ${seconds.join()}`);
});

test('Of the times that were missed while nothing ran, one is made up for', async () => {
  await using fixture = await QueueFixture.open();
  const version = versionWith([{ name: 'tick', cron: '*/2 * * * * *' }]);
  await fixture.queue.started([version]);
  await until('a call', () => calls(fixture, 'tick') >= 1);
  await fixture.queue.close();
  const before = calls(fixture, 'tick');
  const missed = Date.now() + 7000;
  await until('three times have passed', () => Date.now() >= missed);
  const queue = fixture.openQueue();
  await queue.started([version]);
  await until('a call', () => calls(fixture, 'tick') >= before + 2);
  const [late, next] = fixture.invoker.calls.slice(-2);
  const [lateAt, nextAt] = await Promise.all(
    [late, next].map(async (call) => Date.parse((await queue.read(call?.request.id ?? ''))?.createdAt ?? '')),
  );
  assert.ok((lateAt ?? 0) >= missed && (nextAt ?? 0) - (lateAt ?? 0) > 0);
  assert.equal(calls(fixture, 'tick'), before + 2);
  const latest = Math.max(...fixture.lagsMs);
  assert.ok(latest > 3000 && (fixture.lagsMs[0] ?? latest) < latest, `made so late, ms: ${fixture.lagsMs.join()}`);
});

test('Schedules end with what their function says, and with their function', async () => {
  await using fixture = await QueueFixture.open();
  const { schedules } = fixture.queue;
  const entry = { name: 'a', cron: '0 0 1 1 *' };
  await schedules.apply(versionWith([entry, { name: 'b', cron: '0 0 1 1 *' }]));
  await schedules.apply(versionWith([entry], 'workshop'));
  await schedules.apply(versionWith([{ name: 'b', cron: '0 0 2 1 *' }]));
  const list = await schedules.list();
  assert.deepEqual(
    list.map(({ function: of, name, cron }) => [of, name, cron]),
    [
      ['work', 'b', '0 0 2 1 *'],
      ['workshop', 'a', '0 0 1 1 *'],
    ],
  );
  await schedules.remove('work');
  assert.deepEqual(
    (await schedules.list()).map(({ function: of }) => of),
    ['workshop'],
  );
  await fixture.queue.started([]);
  assert.deepEqual(await schedules.list(), []);
});

test('Schedules that cannot hold are refused with their place', async () => {
  await using fixture = await QueueFixture.open();
  const refused = (...schedule: Schedule) => {
    try {
      fixture.queue.schedules.check(versionWith(schedule).config);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
  assert.equal(
    refused({ name: 'a', cron: '*/5 * * * * *', timezone: 'Asia/Tokyo' }, { name: 'b', at: '2030-01-01T00:00:00Z' }),
    undefined,
  );
  assert.match(refused({ name: 'a' }) ?? '', /^schedule\[0\]: needs one of/);
  assert.match(refused({ name: 'a', cron: '* * * * *', everyMs: 1000 }) ?? '', /needs one of/);
  assert.match(refused({ name: 'a', cron: 'now and then' }) ?? '', /no cron expression/);
  assert.match(refused({ name: 'a', cron: '* * * * *', timezone: 'Mars/Base' }) ?? '', /"Mars\/Base" is no time zone/);
  assert.match(refused({ name: 'a', at: 'soon' }) ?? '', /no time: "soon"/);
  assert.match(refused({ name: 'a', everyMs: 1000, timezone: 'UTC' }) ?? '', /belongs to cron/);
  assert.match(
    refused({ name: 'a', everyMs: 1000 }, { name: 'a', everyMs: 2000 }) ?? '',
    /^schedule\[1\]: has the name/,
  );
});
