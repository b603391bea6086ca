import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, versionOf } from './fakes/bench.ts';
import { hello, obedient } from './fakes/programs.ts';

const FUNCTIONS = 20;
const CALLS_EACH = 10;
const PARALLEL = 4;

const functions = Array.from({ length: FUNCTIONS }, (_, at) => versionOf({ name: `f${at}`, maxContainers: 16 }));

test('ForkGate: first calls of many functions at once make no more containers than they need', async () => {
  await using bench = await Bench.open(hello, { forkParallel: PARALLEL });
  let most = 0;
  bench.driver.onMade = () => (most = Math.max(most, bench.driver.creating));
  // All calls of one function, then all of the next one.
  const calls = functions.flatMap((version) => Array.from({ length: CALLS_EACH }, () => bench.call(version)));
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  assert.equal(calls.filter(({ body }) => body !== 'hello').length, 0);
  assert.ok(most <= PARALLEL, `${most} forks at once`);
  // Calls are short: a container that is there serves those that others were to be forked for.
  assert.ok(bench.driver.made.length <= calls.length / 2, `${bench.driver.made.length} containers`);
});

test('ForkGate: calls that last get a container each, also through a narrow gate', async () => {
  await using bench = await Bench.open(obedient, { forkParallel: PARALLEL });
  const calls = functions.flatMap((version) => Array.from({ length: 3 }, () => bench.call(version, '/polite')));
  await bench.until(() => bench.driver.claimed.length === calls.length, 'each has one');
  const order = bench.driver.made.map(({ claims }) => claims[0]);
  // Who came first went through the open gate; from then on nobody gets a second one before everybody has a first one.
  assert.equal(new Set(order.slice(0, FUNCTIONS + PARALLEL - 1)).size, FUNCTIONS);
});

test('ForkGate: a fork that fails lets the next one through', async () => {
  await using bench = await Bench.open(hello, { forkParallel: 1 });
  bench.driver.failsAt = (serial) => serial <= 3;
  const calls = functions.map((version) => bench.call(version));
  await bench.clock.advance(5000);
  await bench.until(() => calls.every(({ ends }) => ends === 1), 'all are served');
  assert.equal(calls.filter(({ body }) => body !== 'hello').length, 0);
});
