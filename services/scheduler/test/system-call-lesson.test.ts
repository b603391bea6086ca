import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeInvoke, fail, FrameType, type LessonCall } from '@hob/contracts';
import { deathOf } from '../src/death.ts';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient } from './fakes/programs.ts';

function lessonCall(path: string, body?: string): LessonCall {
  const version = versionOf();
  const method = body === undefined ? 'GET' : 'POST';
  const request = {
    id: path,
    version,
    method,
    url: `http://greet.local${path}`,
    headers: [],
    hasBody: body !== undefined,
  };
  return { request, body: body === undefined ? undefined : Buffer.from(body) };
}

const never = new AbortController().signal;
const rules = { deny: ['mkdir'] };

test('a lesson makes its calls one after the other in a container that learns, and gives all that it learnt', async () => {
  await using bench = await Bench.open(obedient);
  bench.driver.onMade = (container) => {
    container.systemCalls = ['read', `call-${bench.driver.made.length}`];
  };
  const calls = ['/hello', '/segv', '/throw', '/hello'].map((path) => lessonCall(path));
  // Its own rules do not hold meanwhile.
  const lesson = await bench.scheduler.learn(versionOf({ seccomp: { allow: [] } }), calls, never);
  assert.deepEqual(lesson, {
    systemCalls: ['read', 'call-1', 'call-2'],
    calls: [
      { status: 200, outcome: 'ok' },
      { status: undefined, outcome: 'ERR_FN_CRASHED' },
      { status: undefined, outcome: 'ERR_FN_THREW' },
      { status: 200, outcome: 'ok' },
    ],
  });
  assert.deepEqual(
    bench.driver.made.map(({ seccomp }) => seccomp),
    ['learn', 'learn'],
  );
  assert.equal(bench.driver.alive.size, 0);
  assert.equal(bench.observer.receipts.length, 0, 'it counts no call');
  assert.deepEqual((await bench.scheduler.snapshot()).functions, []);
});

test('a lesson sends bodies, and gives slow calls more time than the function has', async () => {
  await using bench = await Bench.open(hello);
  await bench.scheduler.learn(versionOf(), [lessonCall('/hello', 'some text')], never);
  const sent = bench.driver.made.flatMap(({ frames }) => frames);
  const body = sent.find(({ type }) => type === FrameType.BODY);
  assert.equal(Buffer.from(body?.payload ?? []).toString(), 'some text');
  const invoke = sent.find(({ type }) => type === FrameType.INVOKE);
  assert.ok(invoke);
  assert.equal(decodeInvoke(invoke.payload).deadlineMs, bench.clock.wallMs() + 10_000);
});

test('a lesson ends with its signal, whatever runs', async () => {
  await using bench = await Bench.open(obedient, { cancelGraceMs: 50 });
  const client = new AbortController();
  const running = bench.scheduler.learn(versionOf(), [lessonCall('/polite'), lessonCall('/hello')], client.signal);
  await bench.until(() => bench.driver.made[0]?.open.size === 1, 'the first call runs');
  const gone = fail('ERR_CANCELLED', ['the test']);
  client.abort(gone);
  await assert.rejects(running, gone);
  assert.equal(bench.driver.made.length, 1);
  assert.equal(bench.driver.alive.size, 0);
});

test('closing the scheduler cuts lessons short, and refuses new ones', async () => {
  await using bench = await Bench.open(obedient);
  const running = bench.scheduler.learn(versionOf(), [lessonCall('/polite')], never);
  await bench.until(() => bench.driver.made[0]?.open.size === 1, 'the call runs');
  const closed = bench.scheduler.close();
  await assert.rejects(running, { code: 'ERR_SCHED_CLOSED' });
  await closed;
  assert.equal(bench.driver.alive.size, 0);
  await assert.rejects(bench.scheduler.learn(versionOf(), [lessonCall('/hello')], never), { code: 'ERR_SCHED_CLOSED' });
});

test('a version with rules of its own gets containers with these rules, never parked ones', async () => {
  await using bench = await Bench.open(hello, { poolMin: 1, poolMax: 1 });
  await bench.called();
  await bench.clock.advance(1000);
  await bench.until(() => bench.driver.made.length === 2, 'one is parked');
  const strict = versionOf({ name: 'strict', seccomp: rules });
  bench.scheduler.replaced(strict);
  const call = await bench.called(strict);
  assert.equal(call.response?.start, 'cold');
  assert.deepEqual(bench.driver.claimed.at(-1)?.seccomp, rules);
  assert.equal((await bench.called(strict)).response?.start, 'warm');
});

test('a forbidden system call ends the container and its calls by its name; the next call gets a clean one', async () => {
  await using bench = await Bench.open(obedient);
  const call = bench.call(versionOf(), '/never');
  await bench.until(() => bench.driver.made[0]?.open.size === 1, 'the call runs');
  const [container] = bench.driver.made;
  // As of a container that was killed: its socket closes, and its exit tells why.
  container?.exit({ signal: 'SIGKILL', forbiddenCall: 'ptrace' });
  container?.hangUp();
  await bench.until(() => call.ends > 0, 'the call ends');
  assert.equal(call.error?.code, 'ERR_FN_FORBIDDEN_SYSCALL');
  assert.match(call.error.message, /: ptrace$/);
  const { outcome, cause } = bench.receipt(call);
  assert.deepEqual({ outcome, cause }, { outcome: 'ERR_FN_FORBIDDEN_SYSCALL', cause: 'syscall' });
  assert.deepEqual(
    bench.observer.lines.map(({ channel, line, invocationId }) => ({ channel, line, invocationId })),
    [{ channel: 'platform', line: call.error.message, invocationId: call.id }],
  );
  assert.equal((await bench.called()).response?.start, 'cold');
  assert.deepEqual(bench.observer.deaths, [{ function: 'greet', cause: 'syscall', cpuSeconds: 0.25 }]);
});

test('a forbidden system call of an idle container is logged by its name', async () => {
  await using bench = await Bench.open(hello);
  await bench.called();
  bench.driver.made[0]?.exit({ signal: 'SIGKILL', forbiddenCall: 'connect' });
  bench.driver.made[0]?.hangUp();
  await bench.until(() => bench.observer.deaths.length === 1, 'it is gone');
  const [line] = bench.observer.lines;
  assert.equal(line?.channel, 'platform');
  assert.match(line.line, /: connect$/);
});

test('deathOf names the call that only the exit tells of', () => {
  const exit = { code: undefined, signal: 'SIGKILL', oomKilled: false, pidsDenied: false, cpuSeconds: 0 };
  const limits = { memoryMb: 128, pidsMax: 10 };
  const death = deathOf({ ...exit, forbiddenCall: 'socket' }, limits);
  assert.deepEqual([death.cause, death.error.code], ['syscall', 'ERR_FN_FORBIDDEN_SYSCALL']);
  assert.match(death.error.message, /: socket$/);
  assert.match(deathOf({ ...exit, signal: 'SIGSYS' }, limits).error.message, /of another architecture$/);
  assert.equal(deathOf({ ...exit, systemCalls: ['read'] }, limits).cause, 'crash');
});
