import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJson, fail, FrameType } from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import { obedient } from './fakes/programs.ts';

/** The environment that each container was given. */
const given = (bench: Bench): unknown[] =>
  bench.driver.made.map(({ frames }) => {
    const claim = frames.find(({ type }) => type === FrameType.CLAIM);
    return claim && decodeJson(claim)['env'];
  });

test('containers get the secrets that there are when they are loaded; Scheduler.renew() drains those before', async () => {
  let key = 'one';
  await using bench = await Bench.open(obedient, {}, undefined, { env: () => ({ KEY: key }) });
  const running = bench.call(versionOf({ timeoutMs: 60_000 }), '/never');
  await bench.until(() => bench.driver.made[0]?.isLoaded === true, 'the first one runs');
  await bench.called(versionOf({ timeoutMs: 60_000 }));
  key = 'two';
  bench.scheduler.renew('greet');
  await bench.until(() => bench.driver.alive.size === 1, 'the idle one is gone, the busy one is not');
  await bench.called(versionOf({ timeoutMs: 60_000 }));
  assert.deepEqual(given(bench), [
    { GREETING: 'hi', KEY: 'one' },
    { GREETING: 'hi', KEY: 'one' },
    { GREETING: 'hi', KEY: 'two' },
  ]);
  running.handle?.cancel('cancelled');
  await bench.until(() => running.ends === 1, 'the busy one ends');
});

test('a container that is on its way when a secret changes gets the new one', async () => {
  let key = 'one';
  await using bench = await Bench.open(obedient, {}, undefined, { env: () => ({ KEY: key }) });
  const gate = bench.holdForks();
  const call = bench.call();
  key = 'two';
  bench.scheduler.renew('greet');
  gate.release();
  await bench.until(() => call.ends === 1, 'the call is served');
  assert.deepEqual(given(bench), [{ GREETING: 'hi', KEY: 'two' }]);
});

test('a version whose secret is missing is not loaded, and its calls say so', async () => {
  const env = (): never => {
    throw fail('ERR_FN_LOAD_FAILED', ['MissingSecret', 'the secret KEY is not set']);
  };
  await using bench = await Bench.open(obedient, {}, undefined, { env });
  assert.equal((await bench.called()).error?.code, 'ERR_FN_LOAD_FAILED');
  assert.equal((await bench.scheduler.prove(versionOf()))?.error.code, 'ERR_FN_LOAD_FAILED');
  assert.equal(bench.driver.alive.size, 0);
});
