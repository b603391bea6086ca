import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CallOptions, type Answer, problem } from '../support/http-call.ts';
import { HobServer } from '../support/hob-server.ts';
import { descendants, isRunning } from '../support/processes.ts';
import { until } from '../support/until.ts';

const MEGABYTE = 1024 * 1024;
const BODY_BYTES_MAX = 24 * MEGABYTE;
const QUEUE_MAX = 2;

let hob: HobServer;

before(async () => {
  hob = await HobServer.create({
    env: { HOB_HTTP_BODY_BYTES_MAX: `${BODY_BYTES_MAX}`, HOB_QUEUE_MAX: `${QUEUE_MAX}` },
  });
  const folderOf = (name: string): string => join(import.meta.dirname, '../functions', name);
  await hob.deploy(...['behave', 'impatient', 'private', 'single'].map(folderOf));
  await hob.deploy('--no-live', folderOf('top-level'));
});

after(async () => hob[Symbol.asyncDispose]());

async function state(): Promise<Answer> {
  const answer = await hob.fn('behave/state');
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  return answer;
}

/** Puts one call into a container, so that the next call finds it warm, and tells how many calls that one has had. */
async function callsOfWarmContainer(): Promise<number> {
  return JSON.parse((await state()).body.toString('utf8')).calls;
}

/** The next call after a death gets a container that has seen no call, all its descriptors and pid 1. */
async function assertCleanContainer(): Promise<void> {
  const answer = await state();
  const { calls, pid } = JSON.parse(answer.body.toString('utf8'));
  assert.deepEqual({ calls, pid }, { calls: 1, pid: 1 });
  assert.notEqual(answer.headers['hob-start'], 'warm');
}

/** Calls /behave, whose container dies of it with the code. */
async function assertDeath(path: string, expected: string, options: CallOptions = {}): Promise<void> {
  await callsOfWarmContainer();
  assert.equal(problem(await hob.fn(`behave/${path}`, options)), expected);
  await assertCleanContainer();
}

async function logs(name: string): Promise<string> {
  const result = await hob.hob(['logs', name, '--tail', '1000']);
  assert.equal(result.exitCode, 0, result.stderr);
  return result.stdout;
}

test('a container is kept for the next call when all is well', async () => {
  const calls = await callsOfWarmContainer();
  const answer = await state();
  assert.equal(answer.headers['hob-start'], 'warm');
  assert.equal(JSON.parse(answer.body.toString('utf8')).calls, calls + 1);
});

test('a function that throws answers 502 ERR_FN_THREW and keeps its container', async () => {
  const calls = await callsOfWarmContainer();
  const answer = await hob.fn('behave/throw');
  assert.equal(problem(answer), '502 ERR_FN_THREW');
  assert.match(answer.body.toString('utf8'), /RangeError: thrown on purpose/);
  assert.equal(answer.headers['hob-start'], 'warm');
  assert.match(String(answer.headers['server-timing']), /^queue;dur=.*, run;dur=\d/);
  assert.doesNotMatch(answer.body.toString('utf8'), /index\.ts|node:internal/, 'a stack is shown to a stranger');
  assert.equal(await callsOfWarmContainer(), calls + 2);
  await until("the log has the stack, in the function's own source", async () => {
    return /index\.ts:\d+/.test(await logs('behave'));
  });
});

test('a function that throws shows its own stack to callers with a token', async () => {
  const answer = await hob.fn('behave/throw', { headers: { authorization: `Bearer ${hob.token}` } });
  const { failure } = JSON.parse(answer.body.toString('utf8'));
  assert.equal(failure.name, 'RangeError');
  assert.match(failure.stack, /behave.*index\.ts:\d+:\d+/s);
});

test('a function that answers with nothing gets 502 ERR_FN_BAD_RESPONSE', async () => {
  assert.equal(problem(await hob.fn('behave/nothing')), '502 ERR_FN_BAD_RESPONSE');
});

test('process.exit() gives 502 ERR_FN_EXITED and a clean container next', async () => {
  await assertDeath('exit', '502 ERR_FN_EXITED');
});

test('an unhandled rejection gives 502 ERR_FN_THREW and a clean container next', async () => {
  await assertDeath('reject', '502 ERR_FN_THREW');
});

test('an uncaught exception gives 502 ERR_FN_THREW and a clean container next', async () => {
  await assertDeath('later', '502 ERR_FN_THREW');
});

test('process.abort() gives 502 ERR_FN_EXITED and a clean container next', async () => {
  await assertDeath('abort', '502 ERR_FN_EXITED');
});

test('a crash of the process gives 502 ERR_FN_CRASHED and a clean container next', async () => {
  await assertDeath('crash', '502 ERR_FN_CRASHED');
});

test('closing every descriptor gives a typed 502 and a clean container next', async () => {
  await callsOfWarmContainer();
  assert.match(problem(await hob.fn('behave/close')), /^502 ERR_FN_(?:CRASHED|EXITED|THREW)$/);
  await assertCleanContainer();
});

test('buffers beyond the memory limit give 502 ERR_FN_OUT_OF_MEMORY and a clean container next', async () => {
  await assertDeath('hoard', '502 ERR_FN_OUT_OF_MEMORY');
});

test('objects beyond the memory limit give 502 ERR_FN_OUT_OF_MEMORY and a clean container next', async () => {
  await assertDeath('hoard-heap', '502 ERR_FN_OUT_OF_MEMORY');
});

test('a fork bomb gives 502 ERR_FN_TOO_MANY_PROCESSES and a clean container next, and no process is left', async () => {
  for (const path of ['bomb', 'bomb-and-throw', 'bomb-and-wait', 'bomb-and-die']) {
    await assertDeath(path, '502 ERR_FN_TOO_MANY_PROCESSES');
    const bombs = descendants(hob.pid).filter((seen) => seen.name === 'sleep');
    await until('every process of the fork bomb is gone', () => !bombs.some(isRunning));
  }
});

test('a function that cannot be loaded gives 502 ERR_FN_LOAD_FAILED each time, and says why', async () => {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const answer = await hob.fn('top-level@1');
    assert.equal(problem(answer), '502 ERR_FN_LOAD_FAILED');
    assert.match(answer.body.toString('utf8'), /TypeError: no port is set/);
  }
});

test('a function that never ends gives 504 ERR_FN_TIMEOUT, also when it blocks its event loop', async () => {
  for (const path of ['wait', 'spin']) {
    const answer = await hob.fn(`impatient/${path}`);
    assert.equal(problem(answer), '504 ERR_FN_TIMEOUT');
    assert.match(answer.body.toString('utf8'), /within 1000 ms/);
    const next = await hob.fn('impatient/');
    assert.equal(next.body.toString('utf8'), 'in time');
    assert.notEqual(next.headers['hob-start'], 'warm');
  }
});

test('an answer that never gets complete is cut at the deadline', async () => {
  await assert.rejects(hob.fn('impatient/half'));
  assert.equal((await hob.fn('impatient/')).body.toString('utf8'), 'in time');
});

test('10 MB of output hold nothing up, and the log stays bounded', async () => {
  for (const path of ['flood', 'flood-descriptor']) {
    const answer = await hob.fn(`behave/${path}?bytes=${10 * MEGABYTE}`);
    assert.equal(answer.status, 200, answer.body.toString('utf8'));
    assert.equal(answer.body.toString('utf8'), 'flooded');
    await state();
  }
  assert.ok(Buffer.byteLength(await logs('behave')) < 4 * MEGABYTE);
});

test('20 MB come in, go out and come back unharmed', async () => {
  const bytes = randomBytes(20 * MEGABYTE);
  const digest = createHash('sha256').update(bytes).digest('hex');
  assert.equal((await hob.fn('behave/sha256', { body: bytes })).body.toString('utf8'), digest);
  const echo = await hob.fn('behave/echo', { body: bytes });
  assert.equal(createHash('sha256').update(echo.body).digest('hex'), digest);
  const made = await hob.fn(`behave/make?bytes=${bytes.byteLength}`);
  assert.equal(made.body.byteLength, bytes.byteLength);
  for (let at = 0; at < made.body.byteLength; at += 64 * 1024) {
    assert.equal(made.body.readUInt32LE(at), at / 64 / 1024, 'a block is at a wrong place');
  }
});

test('a body over the limit gives 413 ERR_HTTP_BODY_TOO_LARGE', async () => {
  const answer = await hob.fn('behave/sha256', { body: Buffer.alloc(BODY_BYTES_MAX + 1) });
  assert.equal(problem(answer), '413 ERR_HTTP_BODY_TOO_LARGE');
  await state();
});

test("a client's disconnect aborts ctx.signal of its call", async () => {
  const gone = new AbortController();
  const call = hob.fn('behave/wait', { signal: gone.signal });
  await until('the function waits', async () => (await logs('behave')).includes('waiting'));
  gone.abort();
  await assert.rejects(call, { name: 'AbortError' });
  await until('the function is told', async () => /aborted [0-9a-f-]{36}/.test(await logs('behave')));
});

test('a function that ignores the disconnect loses its container, and the next call gets a clean one', async () => {
  const gone = new AbortController();
  await callsOfWarmContainer();
  const call = hob.fn('behave/spin', { signal: gone.signal });
  await until('the call runs', async () => /"busy":1/.test(JSON.stringify(await hob.control('stats'))));
  gone.abort();
  await assert.rejects(call, { name: 'AbortError' });
  await until('no call runs', async () => !/"busy":1/.test(JSON.stringify(await hob.control('stats'))));
  await assertCleanContainer();
});

test('a token-only function answers 401 without a token and 200 with it', async () => {
  assert.equal(problem(await hob.fn('private')), '401 ERR_AUTH_REQUIRED');
  assert.equal(
    problem(await hob.fn('private', { headers: { authorization: 'Bearer wrong' } })),
    '401 ERR_AUTH_REQUIRED',
  );
  const answer = await hob.fn('private', { headers: { authorization: `Bearer ${hob.token}` } });
  assert.equal(answer.body.toString('utf8'), 'come in');
});

test('unknown functions, versions and paths answer 404 with their codes', async () => {
  assert.equal(problem(await hob.fn('nobody')), '404 ERR_FN_NOT_FOUND');
  assert.equal(problem(await hob.fn('behave@99')), '404 ERR_FN_VERSION_NOT_FOUND');
  assert.equal(problem(await hob.fn('../nothing')), '404 ERR_API_NOT_FOUND');
});

test('when every container is busy and the queue is full, calls get 429 and when to try again', async () => {
  const gone = new AbortController();
  const held = hob.fn('single/hold', { signal: gone.signal });
  await until('the only container is held', async () => (await logs('single')).includes('holding'));
  const waiting = Array.from({ length: QUEUE_MAX }, () => hob.fn('single'));
  const queue = new RegExp(`"waiting":${QUEUE_MAX}`);
  await until('the queue is full', async () => queue.test(JSON.stringify(await hob.control('stats'))));
  const refused = await hob.fn('single');
  assert.equal(problem(refused), '429 ERR_SCHED_QUEUE_FULL');
  assert.match(refused.headers['retry-after'] ?? '', /^\d+$/);
  gone.abort();
  await assert.rejects(held, { name: 'AbortError' });
  for (const answer of await Promise.all(waiting)) assert.equal(answer.body.toString('utf8'), 'done');
});
