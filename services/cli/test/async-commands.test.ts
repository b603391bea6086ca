import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hob } from './fakes/command-run.ts';
import { ControlServer, json, sendProblem } from './fakes/control-server.ts';

const record = {
  id: 'a-1',
  function: 'mail',
  status: 'dead',
  attempts: 3,
  maxAttempts: 3,
  createdAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:00:09.000Z',
  error: { code: 'ERR_FN_THREW', message: 'Error: no\u001b[2J' },
  result: { status: 500, headers: [], body: 'sorry', encoding: 'utf8', bodyBytes: 5, isCut: false },
};
const request = { method: 'PUT', url: 'http://h/x', headers: [], body: 'the body', encoding: 'utf8', bodyBytes: 8 };

test('hob invoke --async prints the id of the queued call', async () => {
  await using server = await ControlServer.start({
    'POST /fn/mail': (_request, response) => response.writeHead(202).end('{"id":"a-1"}') as never,
  });
  const env = { HOB_URL: server.url };
  const { code, stdout } = await hob(['invoke', 'mail', '--async', '--data', '{}'], { env });
  assert.deepEqual([code, stdout], [0, 'a-1\n']);
  assert.equal(server.seen[0]?.headers['hob-invocation-type'], 'async');
  const asJson = await hob(['invoke', 'mail', '--async', '--data', '{}', '--json'], { env });
  assert.deepEqual(JSON.parse(asJson.stdout), { id: 'a-1' });
});

test('hob invocation shows what became of a call, waits for its end, and cancels it', async () => {
  let looks = 0;
  const { endedAt: _, ...running } = { ...record, status: 'running' };
  await using server = await ControlServer.start({
    'GET /v1/invocations/a-1': (request, response, body) => {
      looks += 1;
      return json(looks === 2 ? running : record)(request, response, body);
    },
    'DELETE /v1/invocations/a-1': json({ id: 'a-1' }),
  });
  const env = { HOB_URL: server.url };
  const { code, stdout } = await hob(['invocation', 'a-1'], { env });
  assert.equal(code, 0);
  for (const line of [
    /^status +dead$/m,
    /^attempts +3 of 3$/m,
    /^error +ERR_FN_THREW/m,
    /^answer +status 500/m,
    /^sorry$/m,
  ])
    assert.match(stdout, line);
  assert.equal((await hob(['invocation', 'a-1', '--wait'], { env })).code, 1, 'it did not succeed');
  assert.equal(looks, 3);
  assert.equal((await hob(['invocation', 'a-1', '--cancel'], { env })).stdout, 'cancelled a-1\n');
  assert.equal((await hob(['invocation', '../x'], { env })).code, 2);
});

test('hob dlq lists, shows, redrives and purges dead letters', async () => {
  await using server = await ControlServer.start({
    'GET /v1/dead-letters?limit=50': json({ total: 9, letters: [record] }),
    'GET /v1/dead-letters/a-1': json({ ...record, request }),
    'POST /v1/dead-letters/redrive': json({ count: 1 }),
    'POST /v1/dead-letters/purge': json({ count: 9 }),
  });
  const env = { HOB_URL: server.url };
  const list = await hob(['dlq', 'ls'], { env });
  assert.match(list.stdout, /^a-1 +mail +3 +2026-01-01T00:00:09.000Z +ERR_FN_THREW$/m);
  assert.match(list.stderr, /1 of 9/);
  assert.match((await hob(['dlq', 'show', 'a-1'], { env })).stdout, /PUT http:\/\/h\/x\n\nthe body/);
  assert.equal((await hob(['dlq', 'redrive', 'a-1'], { env })).stdout, 'redriven 1\n');
  assert.equal((await hob(['dlq', 'redrive', 'a-1', 'a-2'], { env })).code, 1, 'one was none');
  assert.equal((await hob(['dlq', 'purge', '--all', '--json'], { env })).stdout.trim(), '{"count":9}');
  assert.deepEqual(JSON.parse(server.seen.at(-1)?.body ?? ''), { all: true });
  for (const wrong of [['purge'], ['purge', 'a-1', '--all'], ['redrive', '--function', 'X']]) {
    assert.equal((await hob(['dlq', ...wrong], { env })).code, 2, wrong.join(' '));
  }
});

test('hob schedule ls lists schedules with their next times', async () => {
  const one = { function: 'mail', method: 'POST', path: '/' };
  const nextAt = '2030-01-01T00:00:00.000Z';
  const schedules = [
    { ...one, name: 'nightly', cron: '0 2 * * *', timezone: 'Europe/Berlin', nextAt },
    { ...one, name: 'once', at: '2020-01-01T00:00:00Z' },
    { ...one, name: 'poll', everyMs: 5000, nextAt },
    { ...one, name: 'rest', everyMs: 5000, pausedAt: nextAt },
  ];
  await using server = await ControlServer.start({ 'GET /v1/schedules': json(schedules) });
  const env = { HOB_URL: server.url };
  const { stdout } = await hob(['schedule', 'ls'], { env });
  assert.match(stdout, /^mail +nightly +0 2 \* \* \* \(Europe\/Berlin\) +2030-01-01T00:00:00.000Z$/m);
  assert.match(stdout, /^mail +once +once, 2020-01-01T00:00:00Z +-$/m);
  assert.match(stdout, /^mail +poll +every 5000 ms +2030/m);
  assert.match(stdout, /^mail +rest +every 5000 ms +paused$/m);
  assert.deepEqual(JSON.parse((await hob(['schedule', 'ls', '--json'], { env })).stdout), schedules);
});

test('hob schedule show tells when a schedule calls, and what became of its last calls', async () => {
  const nightly = { function: 'mail', name: 'nightly', cron: '0 2 * * *', method: 'PUT', path: '/report?all' };
  const times = ['2030-01-01T02:00:00.000Z', '2030-01-02T02:00:00.000Z'];
  const at = '2029-12-31T02:00:00.000Z';
  const runs = [
    { id: 'b-2', cause: 'operator', at, status: 'dead', attempts: 3, endedAt: at, error: record.error },
    { id: 'a-1', cause: 'time', at },
  ];
  const detail = { ...nightly, nextAt: times[0], nextTimes: times, runs };
  await using server = await ControlServer.start({
    'GET /v1/schedules/mail/nightly': json(detail),
    'GET /v1/schedules/mail/rest': json({ ...nightly, pausedAt: at, nextTimes: [], runs: [] }),
  });
  const env = { HOB_URL: server.url };
  const { code, stdout } = await hob(['schedule', 'show', 'mail', 'nightly'], { env });
  assert.equal(code, 0);
  for (const line of [
    /^when +0 2 \* \* \* \(UTC\)$/m,
    /^call +PUT \/report\?all$/m,
    /^next +2030-01-01T02:00:00.000Z\n +2030-01-02T02:00:00.000Z$/m,
    /^b-2 +2029-12-31T02:00:00.000Z +operator +dead +3 +2029-12-31T02:00:00.000Z +ERR_FN_THREW$/m,
    /^a-1 +2029-12-31T02:00:00.000Z +time +not kept +- +-$/m,
  ])
    assert.match(stdout, line);
  assert.deepEqual(JSON.parse((await hob(['schedule', 'show', 'mail', 'nightly', '--json'], { env })).stdout), detail);
  const paused = await hob(['schedule', 'show', 'mail', 'rest'], { env });
  assert.match(paused.stdout, /^paused +since 2029-12-31T02:00:00.000Z\nnext +paused$/m);
  assert.match(paused.stderr, /no call yet/);
});

test('hob schedule run prints the id of the call; pause and resume say what holds now', async () => {
  const nightly = { function: 'mail', name: 'nightly', everyMs: 5000, method: 'POST', path: '/' };
  const at = '2030-01-01T00:00:00.000Z';
  await using server = await ControlServer.start({
    'POST /v1/schedules/mail/nightly/run': json({ id: 'a-1' }, 202),
    'POST /v1/schedules/mail/nightly/pause': json({ ...nightly, pausedAt: at }),
    'POST /v1/schedules/mail/nightly/resume': json({ ...nightly, nextAt: at }),
    'POST /v1/schedules/mail/once/resume': json(nightly),
    'POST /v1/schedules/mail/none/pause': (_request, response) =>
      sendProblem(response, 'ERR_SCHEDULE_NOT_FOUND', 'function "mail" has no schedule "none"'),
  });
  const env = { HOB_URL: server.url };
  const said = async (...args: string[]) => (await hob(['schedule', ...args], { env })).stdout.trim();
  assert.equal(await said('run', 'mail', 'nightly'), 'a-1');
  assert.equal(await said('run', 'mail', 'nightly', '--json'), '{"id":"a-1"}');
  assert.equal(await said('pause', 'mail', 'nightly'), `mail/nightly is paused since ${at}`);
  assert.equal(await said('resume', 'mail', 'nightly'), `mail/nightly comes next at ${at}`);
  assert.equal(await said('resume', 'mail', 'once'), 'mail/once has come to its end');
  assert.deepEqual(JSON.parse(await said('pause', 'mail', 'nightly', '--json')), { ...nightly, pausedAt: at });
  const none = await hob(['schedule', 'pause', 'mail', 'none'], { env });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /has no schedule "none"[^]*hob schedule ls/);
  for (const wrong of [['run', 'mail'], ['show', 'Mail', 'nightly'], ['pause', 'mail', '../nightly'], ['resume']]) {
    assert.equal((await hob(['schedule', ...wrong], { env })).code, 2, wrong.join(' '));
  }
});
