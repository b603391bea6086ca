import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameType } from '@hob/contracts';
import { Bench, type Call, versionOf } from './fakes/bench.ts';
import type { Program } from './fakes/fake-container.ts';
import { hello, load, obedient, pathOf, respond } from './fakes/programs.ts';

const named = (name: string, more = {}) => versionOf({ name, timeoutMs: 100_000, ...more });
const START_MS = 20;
const CALL_MS = 2;

/** Loads after a while, and answers after a shorter one; `/never` it does not. */
function takingTime(clock: () => Bench['clock']): Program {
  return (frame, container) => {
    if (frame.type === FrameType.CODE) clock().after(START_MS, () => load(frame, container));
    if (frame.type !== FrameType.INVOKE || pathOf(container, frame.stream) === '/never') return;
    const answer = (): void => {
      if (container.isLoaded) clock().after(CALL_MS, () => respond(container, frame.stream));
      else clock().after(1, answer);
    };
    answer();
  };
}

async function slowBench(config: Parameters<typeof Bench.open>[1] = {}): Promise<Bench> {
  const box: { bench?: Bench } = {};
  const bench = await Bench.open(
    takingTime(() => (box.bench as Bench).clock),
    config,
  );
  box.bench = bench;
  return bench;
}

/** Lets time pass until a call is over. */
async function pass(bench: Bench, calls: readonly Call[], msMax = 1000): Promise<void> {
  for (let ms = 0; ms < msMax && calls.some(({ ends }) => ends === 0); ms += 1) {
    await bench.clock.advance(1);
    await bench.until(() => bench.driver.alive.size === bench.driver.claimed.length, 'all on their way have the code');
  }
}

test('a warm container is reused rather than a new one started, also by calls that come a little too early for it', async () => {
  await using bench = await slowBench();
  await pass(bench, [bench.call()]);
  for (let round = 0; round < 20; round += 1) {
    const calls = [bench.call(), bench.call(), bench.call()];
    await pass(bench, calls);
    assert.deepEqual([...new Set(calls.map(({ response }) => response?.start))], ['warm']);
  }
  assert.equal(bench.driver.made.length, 1);
});

test('containers are started for calls that would wait longer for a warm one, and not for the others', async () => {
  await using bench = await slowBench({});
  const version = versionOf({ maxContainers: 16, timeoutMs: 100_000 });
  await pass(bench, [bench.call(version)]);
  // About ten of them are through within the time of a start.
  const calls = Array.from({ length: 16 }, () => bench.call(version));
  await pass(bench, calls);
  assert.ok(bench.driver.made.length > 1);
  assert.ok(bench.driver.made.length <= 8, `${bench.driver.made.length} containers`);
});

test('a waiting request is served without a second request arriving: the container that it waits for does not come back', async () => {
  await using bench = await slowBench();
  const version = versionOf({ timeoutMs: 100_000 });
  await pass(bench, [bench.call(version)]);
  bench.call(version, '/never');
  const waiting = bench.call(version);
  await pass(bench, [waiting]);
  assert.equal(waiting.body, 'hello');
});

test('a waiting request is served without a second request arriving: there was no room for its container', async () => {
  await using bench = await Bench.open(obedient, { containersMax: 1 });
  const busy = bench.call(named('one'), '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  const waiting = bench.call(named('two'));
  busy.handle?.cancel('cancelled');
  await bench.until(() => waiting.ends === 1, 'it is served');
  assert.equal(waiting.body, 'hello');
});

test('a waiting request is served without a second request arriving: its container died on the way', async () => {
  await using bench = await Bench.open(hello);
  bench.driver.failsAt = (serial) => serial === 1;
  const waiting = bench.call();
  await bench.clock.advance(1000);
  await bench.until(() => waiting.ends === 1, 'it is served');
  assert.equal(waiting.body, 'hello');
});

test('a flood of one function does not starve a single call of another one', async () => {
  await using bench = await Bench.open(obedient, { containersMax: 4 });
  const flood = named('flood', { maxContainers: 16 });
  const running = Array.from({ length: 4 }, () => bench.call(flood, '/polite'));
  await bench.until(() => bench.driver.claimed.length === 4, 'it has all containers');
  const queue = Array.from({ length: 50 }, () => bench.call(flood, '/polite'));
  const single = bench.call(named('single'));
  running[0]?.handle?.cancel('cancelled');
  await bench.until(() => single.ends === 1, 'it is served by the first room that there is');
  assert.equal(single.body, 'hello');
  assert.equal(queue.filter(({ ends }) => ends > 0).length, 0);
  running[1]?.handle?.cancel('cancelled');
  const served = () => [...bench.driver.alive].filter(({ claims }) => claims[0] === 'flood@1').length;
  await bench.until(() => served() === 4, 'the flood gets the room back that nobody else needs');
});

test('of two functions that want the only container, who waited longest gets it', async () => {
  await using bench = await Bench.open(obedient, { containersMax: 1 });
  const first = bench.call(named('one'), '/polite');
  await bench.until(() => bench.driver.claimed.length === 1, 'one runs');
  const calls: Call[] = [];
  for (const name of ['one', 'two', 'one', 'two']) {
    await bench.clock.advance(10);
    calls.push(bench.call(named(name)));
  }
  first.handle?.cancel('cancelled');
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  const order = bench.observer.receipts.slice(1).map(({ invocationId }) => invocationId);
  assert.deepEqual(
    order,
    calls.map(({ id }) => id),
  );
});

test('functions with as many containers as each other take none from each other', async () => {
  await using bench = await Bench.open(obedient, { containersMax: 4 });
  const names = ['one', 'two'];
  const running = names.flatMap((name) => [bench.call(named(name), '/polite'), bench.call(named(name), '/polite')]);
  await bench.until(() => bench.driver.claimed.length === 4, 'each has two');
  for (let round = 0; round < 20; round += 1) {
    for (const name of names) running.push(bench.call(named(name), '/polite'));
    await bench.clock.advance(1);
    running.shift()?.handle?.cancel('cancelled');
    await bench.clock.advance(1);
  }
  assert.equal(bench.driver.made.length, 4);
});
