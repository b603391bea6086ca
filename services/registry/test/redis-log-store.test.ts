import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogChannel, LogLine } from '@hob/contracts';
import { RedisTarget } from '@hob/redis';
import { Redis } from 'ioredis';
import { RedisLogStore, RedisServer } from '../src/index.ts';
import { LOG_LINES_MAX } from '../src/redis-log-store.ts';
import { keepingLogger, quiet } from './support/logger.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

function lineOf(line: string, more: Partial<LogLine> = {}): LogLine {
  return {
    timeMs: 1_700_000_000_123,
    function: 'hello',
    version: 3,
    invocationId: '11111111-2222-4333-8444-555555555555',
    channel: 'stdout',
    line,
    ...more,
  };
}

/** A Redis and a log store, both real, in a folder of their own. */
class Fixture implements AsyncDisposable {
  readonly server: RedisServer;
  readonly store: RedisLogStore;
  readonly redis: Redis;
  readonly #folder: AsyncDisposable;

  private constructor(folder: AsyncDisposable, server: RedisServer) {
    this.#folder = folder;
    this.server = server;
    this.store = new RedisLogStore({ redis: server.target, log: quiet });
    this.redis = new Redis(server.socketPath, { disableClientInfo: true });
    this.redis.on('error', () => {}); // It connects again.
  }

  static async open(): Promise<Fixture> {
    const folder = await temporaryFolder();
    return new Fixture(folder, await RedisServer.start({ folder: folder.path, log: quiet }));
  }

  async texts(name = 'hello', tail = LOG_LINES_MAX): Promise<string[]> {
    return (await this.store.read(name, { tail })).map(({ line }) => line);
  }

  get redisPid(): number {
    return this.server.pid ?? assert.fail('there is no redis-server');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    this.redis.disconnect();
    await this.server.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}

interface FollowOptions {
  readonly name?: string;
  readonly channel?: LogChannel;
}

/** Reads a `follow` in the background. */
class Follower {
  readonly lines: string[] = [];
  readonly #abort = new AbortController();
  readonly ended: Promise<void>;

  constructor(store: RedisLogStore, tail: number, { name = 'hello', channel }: FollowOptions = {}) {
    this.ended = this.#run(store.follow(name, { tail, channel }, this.#abort.signal));
  }

  async #run(lines: AsyncIterable<LogLine>): Promise<void> {
    for await (const { line } of lines) this.lines.push(line);
  }

  async has(...lines: string[]): Promise<void> {
    await until(`lines ${lines.join()}, not ${this.lines.join()}`, () => this.lines.length >= lines.length);
    assert.deepEqual(this.lines, lines);
  }

  abort(): void {
    this.#abort.abort();
  }
}

test('RedisLogStore.read gives every part of the last lines, oldest first', async () => {
  await using fixture = await Fixture.open();
  const lines = [
    lineOf('first'),
    lineOf('\u001b[31mred\u001b[0m\t\0 ä 😀', { channel: 'stderr', invocationId: '' }),
    lineOf('', { channel: 'platform', version: 4, timeMs: 5 }),
  ];
  for (const line of lines) fixture.store.append(line);
  fixture.store.append(lineOf('elsewhere', { function: 'other' }));
  assert.deepEqual(await fixture.store.read('hello', { tail: 10 }), lines);
  assert.deepEqual(await fixture.store.read('hello', { tail: 2 }), lines.slice(1));
  assert.deepEqual(await fixture.texts('other'), ['elsewhere']);
  for (const tail of [0, -1, Number.NaN]) assert.deepEqual(await fixture.store.read('hello', { tail }), []);
  assert.deepEqual(await fixture.store.read('nobody', { tail: 10 }), []);
});

test('RedisLogStore gives the lines of one channel, however far back they are, and those that come', async () => {
  await using fixture = await Fixture.open();
  const { store } = fixture;
  for (const line of ['1', '2', '3']) store.append(lineOf(line, { channel: 'denied' }));
  for (let index = 0; index < 1_200; index += 1) store.append(lineOf(`${index}`));
  const texts = async (tail: number): Promise<string[]> =>
    (await store.read('hello', { tail, channel: 'denied' })).map(({ line }) => line);
  assert.deepEqual(await texts(10), ['1', '2', '3']);
  assert.deepEqual(await texts(2), ['2', '3']);
  assert.deepEqual(await store.read('hello', { tail: 5, channel: 'platform' }), []);
  const follower = new Follower(store, 1, { channel: 'denied' });
  await follower.has('3');
  store.append(lineOf('more'));
  store.append(lineOf('4', { channel: 'denied' }));
  await follower.has('3', '4');
  follower.abort();
  await follower.ended;
});

test('RedisLogStore writes what is appended without being asked', async () => {
  await using fixture = await Fixture.open();
  fixture.store.append(lineOf('x'));
  await until('the line', async () => (await fixture.redis.xlen('hob:logs:hello')) === 1);
});

test('RedisLogStore keeps about the newest lines, fewer when they are long, and lets them expire', async () => {
  await using fixture = await Fixture.open();
  for (let round = 0; round < 8; round += 1) {
    for (let index = 0; index < 1500; index += 1) fixture.store.append(lineOf(`${round}-${index}`));
    await fixture.store.read('hello', { tail: 1 });
  }
  const kept = await fixture.texts();
  assert.equal(kept.length, LOG_LINES_MAX);
  assert.equal(kept.at(-1), '7-1499');
  assert.ok((await fixture.redis.xlen('hob:logs:hello')) < LOG_LINES_MAX + 200);
  const ttl = await fixture.redis.ttl('hob:logs:hello');
  assert.ok(ttl > 6 * 86_400 && ttl <= 7 * 86_400, `${ttl} s`);

  for (let index = 0; index < 900; index += 1) fixture.store.append(lineOf('x'.repeat(16_000), { function: 'long' }));
  await fixture.store.read('long', { tail: 1 });
  const count = await fixture.redis.xlen('hob:logs:long');
  assert.ok(count > 500 && count < 700, `${count} long lines`);
});

test('RedisLogStore.follow gives the last lines and then those that come, without a gap or a line twice', async () => {
  await using fixture = await Fixture.open();
  for (const line of ['1', '2', '3']) fixture.store.append(lineOf(line));
  await fixture.store.read('hello', { tail: 1 });
  const followers = [new Follower(fixture.store, 2), new Follower(fixture.store, 0), new Follower(fixture.store, 10)];
  await followers[2]?.has('1', '2', '3');
  await followers[0]?.has('2', '3');
  for (let index = 4; index <= 2000; index += 1) fixture.store.append(lineOf(String(index)));
  const all = Array.from({ length: 2000 }, (_, index) => String(index + 1));
  await followers[0]?.has(...all.slice(1));
  await followers[2]?.has(...all);
  for (const follower of followers) follower.abort();
  await Promise.all(followers.map((follower) => follower.ended));
  const silent = followers[1]?.lines ?? [];
  assert.deepEqual(silent, all.slice(all.length - silent.length));
});

test('RedisLogStore.follow sees the first line of a function and lines that another process writes', async () => {
  await using fixture = await Fixture.open();
  await using another = new RedisLogStore({ redis: fixture.server.target, log: quiet });
  const follower = new Follower(fixture.store, 10, { name: 'new' });
  another.append(lineOf('from elsewhere', { function: 'new' }));
  await follower.has('from elsewhere');
  follower.abort();
  await follower.ended;
});

test('RedisLogStore.follow ends at once on abort, whatever it waits for, also when it was aborted before', async () => {
  await using fixture = await Fixture.open();
  const waiting = new Follower(fixture.store, 1);
  const aborted = new Follower(fixture.store, 1);
  aborted.abort();
  await aborted.ended;
  fixture.store.append(lineOf('x'));
  await waiting.has('x');
  process.kill(fixture.redisPid, 'SIGSTOP');
  try {
    const stuck = new Follower(fixture.store, 1);
    waiting.abort();
    stuck.abort();
    await Promise.all([waiting.ended, stuck.ended]);
    assert.deepEqual(stuck.lines, []);
  } finally {
    process.kill(fixture.redisPid, 'SIGCONT');
  }
});

test('RedisLogStore goes on after Redis was killed: readers see the lines that came meanwhile', async () => {
  await using fixture = await Fixture.open();
  const follower = new Follower(fixture.store, 10);
  fixture.store.append(lineOf('before'));
  await follower.has('before');
  const pid = fixture.redisPid;
  process.kill(pid, 'SIGKILL');
  fixture.store.append(lineOf('meanwhile'));
  await follower.has('before', 'meanwhile');
  assert.notEqual(fixture.server.pid, pid);
  assert.deepEqual(await fixture.texts(), ['before', 'meanwhile']);
  follower.abort();
  await follower.ended;
});

test('RedisLogStore bounds what waits while Redis is away, and tells afterwards how much was dropped', async () => {
  await using fixture = await Fixture.open();
  await fixture.texts();
  process.kill(fixture.redisPid, 'SIGSTOP');
  try {
    for (let index = 0; index < 5000; index += 1) fixture.store.append(lineOf(String(index)));
  } finally {
    process.kill(fixture.redisPid, 'SIGCONT');
  }
  await until('the word of the platform', async () => (await fixture.texts()).length > 2000);
  const lines = await fixture.store.read('hello', { tail: LOG_LINES_MAX });
  assert.deepEqual(
    lines.slice(0, 2000).map(({ line }) => line),
    Array.from({ length: 2000 }, (_, index) => String(index)),
  );
  assert.equal(lines[2000]?.channel, 'platform');
  assert.match(lines[2000]?.line ?? '', /^3000 lines were dropped/);
  fixture.store.append(lineOf('after'));
  assert.equal((await fixture.texts()).at(-1), 'after');
});

test('RedisLogStore lets a log that Redis refuses hold up no other', async () => {
  await using fixture = await Fixture.open();
  await fixture.redis.set('hob:logs:broken', 'this is no stream');
  const { log, lines } = keepingLogger();
  await using store = new RedisLogStore({ redis: fixture.server.target, log });
  store.append(lineOf('lost', { function: 'broken' }));
  store.append(lineOf('kept'));
  assert.deepEqual(
    (await store.read('hello', { tail: 10 })).map(({ line }) => line),
    ['kept'],
  );
  assert.ok(lines.some((line) => line.includes('"function":"broken"')));
  await fixture.redis.del('hob:logs:broken');
  await until('the word of the platform', async () => (await store.read('broken', { tail: 10 })).length === 1);
  assert.match((await store.read('broken', { tail: 1 }))[0]?.line ?? '', /^1 line was dropped/);
});

test('RedisLogStore.read and follow fail within a bounded time when there is no Redis', async () => {
  await using folder = await temporaryFolder();
  await using store = new RedisLogStore({ redis: RedisTarget.parse(`${folder.path}/nothing.sock`), log: quiet });
  store.append(lineOf('x'));
  await Promise.all([
    assert.rejects(store.read('hello', { tail: 1 }), { code: 'ERR_REGISTRY_UNAVAILABLE' }),
    assert.rejects(new Follower(store, 1).ended, { code: 'ERR_REGISTRY_UNAVAILABLE' }),
  ]);
});

test('RedisLogStore.close writes what waits, ends every follow, and takes no more', async () => {
  await using fixture = await Fixture.open();
  const store = new RedisLogStore({ redis: fixture.server.target, log: quiet });
  const follower = new Follower(store, 1);
  store.append(lineOf('last'));
  await Promise.all([store.close(), follower.ended]);
  store.append(lineOf('too late'));
  await store.close();
  assert.deepEqual(await fixture.texts(), ['last']);
});
