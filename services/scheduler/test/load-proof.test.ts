import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson, FrameType } from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { hello, obedient, thrown } from './fakes/programs.ts';

/** Cannot be loaded. */
const broken: Program = (frame, container) => {
  if (frame.type === FrameType.CODE) container.emit(encodeJson(FrameType.LOAD_FAILED, 0, thrown));
};

test('Scheduler.prove() loads a container, which then serves the first call', async () => {
  await using bench = await Bench.open(hello);
  assert.equal(await bench.scheduler.prove(versionOf()), undefined);
  assert.equal(bench.driver.made.length, 1);
  const call = await bench.called();
  assert.equal(call.response?.start, 'warm');
  assert.equal(await bench.scheduler.prove(versionOf()), undefined, 'one that is loaded is enough');
  assert.equal(bench.driver.made.length, 1);
});

test('Scheduler.prove() loads one container for all who ask at the same time', async () => {
  await using bench = await Bench.open(hello);
  const proofs = await Promise.all([1, 2, 3].map(() => bench.scheduler.prove(versionOf())));
  assert.deepEqual(proofs, [undefined, undefined, undefined]);
  assert.equal(bench.driver.made.length, 1);
});

test('Scheduler.prove() tells what a function threw that cannot be loaded, and leaves nothing', async () => {
  await using bench = await Bench.open(broken);
  const failed = await bench.scheduler.prove(versionOf());
  assert.equal(failed?.error.code, 'ERR_FN_LOAD_FAILED');
  assert.deepEqual(failed.failure?.message, thrown.message);
  assert.equal(bench.driver.alive.size, 0);
  assert.equal(bench.driver.made.length, 1, 'it would fail in the same way again');
});

test('Scheduler.prove() gives up a version that is not loaded in time', async () => {
  await using bench = await Bench.open(() => undefined);
  const proof = bench.scheduler.prove(versionOf({ timeoutMs: 1000 }));
  await bench.until(
    () => bench.driver.made[0]?.frames.some(({ type }) => type === FrameType.CODE) === true,
    'it loads',
  );
  await bench.clock.advance(1001);
  assert.equal((await proof)?.error.code, 'ERR_FN_TIMEOUT');
});

test('Scheduler.prove() tries once more when a container died of what may not come again', async () => {
  await using bench = await Bench.open((frame, container) => {
    if (container === bench.driver.made[0]) container.exit({ signal: 'SIGKILL' });
    else hello(frame, container);
  });
  assert.equal(await bench.scheduler.prove(versionOf()), undefined);
  assert.equal(bench.driver.made.length, 2);
  await using always = await Bench.open((_, container) => container.exit({ signal: 'SIGSEGV' }));
  assert.equal((await always.scheduler.prove(versionOf()))?.error.code, 'ERR_FN_CRASHED');
  assert.equal(always.driver.made.length, 2);
});

test('Scheduler.prove() takes the room of idle containers on a host that is full, and waits for busy ones', async () => {
  await using bench = await Bench.open(hello, { containersMax: 1 });
  await bench.called(versionOf({ name: 'other' }));
  assert.equal(await bench.scheduler.prove(versionOf()), undefined);
  assert.deepEqual(
    bench.driver.made.map(({ claims }) => claims[0]),
    ['other@1', 'greet@1'],
  );
});

test('Scheduler.prove() gives up waiting for room after as long as calls do', async () => {
  await using bench = await Bench.open(obedient, { containersMax: 1, queueTimeoutMs: 5000 });
  const busy = bench.call(versionOf({ name: 'other', timeoutMs: 60_000 }), '/never');
  await bench.until(
    () => bench.driver.made[0]?.frames.some(({ type }) => type === FrameType.INVOKE) === true,
    'the other one runs',
  );
  const proof = bench.scheduler.prove(versionOf());
  await bench.clock.advance(5001);
  assert.equal((await proof)?.error.code, 'ERR_SCHED_QUEUE_TIMEOUT');
  busy.handle?.cancel('cancelled');
});

test('Scheduler.prove() is cut short by the removal of the function and by the end of the scheduler', async () => {
  await using bench = await Bench.open(() => undefined);
  const removed = bench.scheduler.prove(versionOf());
  await bench.until(() => bench.driver.made.length === 1, 'one is made');
  await bench.scheduler.removed('greet');
  assert.equal((await removed)?.error.code, 'ERR_FN_NOT_FOUND');
  const cut = bench.scheduler.prove(versionOf());
  await bench.until(() => bench.driver.made.length === 2, 'another one is made');
  await bench.scheduler.destroy();
  assert.equal((await cut)?.error.code, 'ERR_SCHED_CLOSED');
  assert.equal((await bench.scheduler.prove(versionOf()))?.error.code, 'ERR_SCHED_CLOSED');
});

test('Scheduler.replaced() ends containers of those versions only that no alias names', async () => {
  await using bench = await Bench.open(hello);
  for (const version of [1, 2, 3]) await bench.called(versionOf({}, version));
  bench.scheduler.replaced(versionOf({}, 3), [versionOf({}, 1)]);
  await bench.until(() => bench.driver.alive.size === 2, 'version 2 is gone');
  assert.deepEqual(new Set([...bench.driver.alive].map(({ claims }) => claims[0])), new Set(['greet@1', 'greet@3']));
});

test('Scheduler.prove() keeps what it loads of a version that had been replaced', async () => {
  await using bench = await Bench.open(hello);
  await bench.called(versionOf({}, 1));
  bench.scheduler.replaced(versionOf({}, 2));
  await bench.until(() => bench.driver.alive.size === 0, 'version 1 is gone');
  assert.equal(await bench.scheduler.prove(versionOf({}, 1)), undefined);
  bench.scheduler.replaced(versionOf({}, 1));
  assert.equal((await bench.called(versionOf({}, 1))).response?.start, 'warm');
});

test('Scheduler.replaced() ends a container that was on its way for a call of the former version, after that call', async () => {
  await using bench = await Bench.open(hello);
  const gate = bench.holdForks();
  const call = bench.call(versionOf({}, 1));
  bench.scheduler.replaced(versionOf({}, 2));
  gate.release();
  await bench.until(() => call.ends === 1, 'the call is served');
  assert.equal(call.error, undefined);
  await bench.until(() => bench.driver.alive.size === 0, 'its container ends');
  await bench.called(versionOf({}, 1));
  assert.equal(bench.driver.alive.size, 1, 'a call by its number keeps one for the next');
});

/** Version 1 has calls, `busy` of them, each in a container of its own. */
async function benchWithBusy(busy: number, config: Parameters<typeof Bench.open>[1] = {}) {
  const bench = await Bench.open(obedient, config);
  const calls = Array.from({ length: busy }, () => bench.call(versionOf({ timeoutMs: 60_000 }), '/never'));
  await bench.until(
    () =>
      bench.driver.made.filter(({ frames }) => frames.some(({ type }) => type === FrameType.INVOKE)).length === busy,
    'all run',
  );
  return Object.assign(bench, { end: () => calls.map(({ handle }) => handle?.cancel('cancelled')) });
}

const ofVersion1 = { versions: [1], share: 1 };

const loadedOf = (bench: Bench, version: number): number =>
  [...bench.driver.alive].filter(({ claims }) => claims[0] === `greet@${version}`).length;

test('Scheduler.prove() loads as many containers as the calls use that it is to take, one after the other', async () => {
  await using bench = await benchWithBusy(3);
  const created: number[] = [];
  bench.driver.onMade = () => created.push(loadedOf(bench, 2));
  assert.equal(await bench.scheduler.prove(versionOf({}, 2), ofVersion1), undefined);
  assert.equal(loadedOf(bench, 2), 3);
  assert.deepEqual(created, [0, 1, 2], 'each was loaded before the next one was made');
  bench.end();
});

test('Scheduler.prove() counts calls, not containers, where one serves many, and stops at maxContainers', async () => {
  await using bench = await benchWithBusy(3);
  assert.equal(await bench.scheduler.prove(versionOf({ concurrency: 2 }, 2), ofVersion1), undefined);
  assert.equal(loadedOf(bench, 2), 2);
  assert.equal(await bench.scheduler.prove(versionOf({ maxContainers: 1 }, 3), ofVersion1), undefined);
  assert.equal(loadedOf(bench, 3), 1);
  bench.end();
});

test('Scheduler.prove() makes do with one container when there is no room for more', async () => {
  await using bench = await benchWithBusy(3, { containersMax: 5 });
  assert.equal(await bench.scheduler.prove(versionOf({}, 2), ofVersion1), undefined);
  assert.equal(loadedOf(bench, 2), 2);
  bench.end();
});

test('Scheduler.prove() makes do with the first container when the next one is not loaded within handOverMs, or dies', async () => {
  for (const fate of ['hangs', 'dies']) {
    await using bench = await benchWithBusy(3, { handOverMs: 2000 });
    bench.driver.program = (frame, container) => {
      if (container.claims[0] !== 'greet@2' || loadedOf(bench, 2) === 1) obedient(frame, container);
      else if (fate === 'dies') container.exit({ signal: 'SIGKILL' });
    };
    const proof = bench.scheduler.prove(versionOf({}, 2), ofVersion1);
    await bench.until(() => bench.driver.made.length === 5, 'the second one is made');
    if (fate === 'hangs') await bench.clock.advance(2001);
    assert.equal(await proof, undefined, fate);
    bench.end();
  }
});

test('Scheduler.prove() loads for its share of the calls only, and one container where it takes none', async () => {
  await using bench = await benchWithBusy(4);
  assert.equal(await bench.scheduler.prove(versionOf({}, 2), { versions: [1, 2], share: 0.3 }), undefined);
  assert.equal(loadedOf(bench, 2), 2);
  assert.equal(await bench.scheduler.prove(versionOf({}, 3)), undefined);
  assert.equal(loadedOf(bench, 3), 1);
  bench.end();
});
