import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOARD_PATH, type FunctionConfig, type FunctionVersion } from '@hob/contracts';
import { policy, QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

const SECRET_TEXT = 'the-secret';

/** What a page or an answer of the board says. */
async function textOf({ queue }: QueueFixture, path: string): Promise<string> {
  const answer = (await queue.board.read(path)) ?? assert.fail(`nothing is at ${path}`);
  return Buffer.from(answer.body).toString();
}

const hasCode = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;

/** Events of every state, in whose requests and answers there are secrets. */
async function fill(fixture: QueueFixture): Promise<{ readonly dead: string; readonly done: string }> {
  const request = {
    url: `http://hob/a?token=${SECRET_TEXT}`,
    headers: ['authorization', SECRET_TEXT, 'cookie', SECRET_TEXT],
    body: Buffer.from(SECRET_TEXT),
  };
  fixture.invoker.behaviour = () => SECRET_TEXT;
  const done = await fixture.submit(request);
  await fixture.reached(done, 'succeeded');
  fixture.invoker.behaviour = () => 500;
  const dead = await fixture.submit({ ...request, policy: { ...policy, maxAttempts: 1 } });
  await fixture.reached(dead, 'dead');
  const late = { ...policy, backoffMs: 600_000, backoffMaxMs: 600_000 };
  await fixture.reached(await fixture.submit({ ...request, policy: late }), 'failed');
  const schedule = [{ name: 'leap', cron: '0 0 29 2 *', path: `/${SECRET_TEXT}`, body: SECRET_TEXT }];
  const about = { name: 'work', version: 1, digest: '', bundleBytes: 0, hasAssets: false, createdAt: '' };
  const version: FunctionVersion = { ...about, config: { schedule } as unknown as FunctionConfig };
  await fixture.queue.schedules.apply(version);
  await fixture.reached(await fixture.queue.schedules.run(version, 'leap'), 'failed');
  return { dead, done };
}

test('RedisQueueBoard shows both queues and each job, and nothing of what functions are sent and answer', async () => {
  await using fixture = await QueueFixture.open();
  const { dead, done } = await fill(fixture);
  const events = await textOf(fixture, '/api/queues?activeQueue=events&status=latest&page=1');
  const { queues } = JSON.parse(events) as {
    queues: { name: string; readOnlyMode: boolean; jobs: { id: string }[] }[];
  };
  assert.deepEqual(
    queues.map(({ name, readOnlyMode }) => [name, readOnlyMode]),
    [
      ['events', true],
      ['schedules', true],
    ],
  );
  const ids = queues[0]?.jobs.map(({ id }) => id) ?? [];
  assert.ok(ids.includes(dead) && ids.includes(done));
  assert.match(events, /"attempts":1/);
  assert.match(events, /"answer":\{"status":200,"bodyBytes":10\}/);
  assert.match(events, /"schedule":"leap"/);
  const job = await textOf(fixture, `/api/queues/events/${done}`);
  assert.match(job, /"name":"work"/);
  const shown = [
    events,
    job,
    await textOf(fixture, `/api/queues/events/${dead}`),
    await textOf(fixture, `/api/queues/events/${dead}/logs`),
    await textOf(fixture, `/api/queues/events/${dead}/flow`),
    await textOf(fixture, '/api/queues?activeQueue=events&status=delayed&page=1'),
    await textOf(fixture, '/api/queues?activeQueue=schedules&status=latest&page=1'),
    await textOf(fixture, '/api/job-schedulers'),
    await textOf(fixture, '/api/queues/events/workers'),
  ];
  const encoded = Buffer.from(SECRET_TEXT).toString('base64').slice(0, 12);
  for (const text of shown) assert.ok(!text.includes(SECRET_TEXT) && !text.includes(encoded), text);
  assert.match(shown.at(-2) ?? '', /"id":"work\/leap"/);
  assert.equal((await fixture.reached(done, 'succeeded')).result?.body, SECRET_TEXT, 'in Redis all is as it was');
});

test('RedisQueueBoard has its pages and files, asks no other host, and leads to no other file', async () => {
  await using fixture = await QueueFixture.open();
  const { board } = fixture.queue;
  for (const path of ['/', '/queue/events', '/queue/events/some-id', '/job-schedulers']) {
    const page = await textOf(fixture, path);
    assert.ok(page.includes(`<base href="${BOARD_PATH}/"`), path);
    assert.doesNotMatch(page, /(?:href|src)="(?:https?:)?\/\//, path);
  }
  const page = await textOf(fixture, '/');
  const files = [...page.matchAll(/(?:href|src)="(static\/[^"]+)"/g)].map(([, file]) => `/${file}`);
  assert.ok(files.length >= 3);
  const types = new Set<string | undefined>();
  for (const file of files) {
    types.add((await board.read(file))?.contentType.split(';')[0]);
    assert.doesNotMatch(await textOf(fixture, file), /@import|url\(["']?(?:https?:)?\/\//, file);
  }
  assert.ok([...types].some((type) => type?.endsWith('javascript')) && types.has('text/css'), [...types].join());
  const elsewhere = [
    '/static/../index.ejs',
    '/static/%2e%2e/index.ejs',
    '/static/..%2findex.ejs',
    '/static/..%5cindex.ejs',
    '/static/....//index.ejs',
    '/static/%252e%252e/index.ejs',
    '/static//etc/passwd',
    '/static/%00',
    '/static/',
    '/../functions',
    '/index.ejs',
    '/api/redis/stats',
    '/api/queues/none/x',
    '/api/queues/events/no-such-job',
    '//evil.example/',
  ];
  for (const path of elsewhere) assert.equal(await board.read(path), undefined, path);
});

test('RedisQueueBoard fails with a code while Redis is away, whether it was opened or not, and goes on afterwards', async () => {
  await using fixture = await QueueFixture.open();
  const { board } = fixture.queue;
  await fixture.redis.kill();
  const isAway = hasCode('ERR_QUEUE_UNAVAILABLE');
  for (const path of ['/', '/api/queues']) await assert.rejects(board.read(path), isAway);
  await fixture.redis.start();
  const queues = await until('it is shown again', () => textOf(fixture, '/api/queues').catch(() => undefined));
  assert.match(queues, /"name":"events"/);
  await fixture.redis.kill();
  for (const path of ['/', '/api/queues', '/api/job-schedulers']) await assert.rejects(board.read(path), isAway);
});

test('RedisQueueBoard reads a hundred jobs at a time, whatever is asked for', async () => {
  await using fixture = await QueueFixture.open();
  const ids = await Promise.all(Array.from({ length: 105 }, () => fixture.submit()));
  for (const id of ids) await fixture.reached(id, 'succeeded');
  const pages = '/api/queues?activeQueue=events&status=completed&jobsPerPage=1000000';
  const { queues } = JSON.parse(await textOf(fixture, pages)) as { queues: { jobs: unknown[] }[] };
  assert.equal(queues[0]?.jobs.length, 100);
});
