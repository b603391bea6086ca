import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { FunctionVersion } from '@hob/contracts';
import { Bench, type Call, versionOf } from './fakes/bench.ts';
import { settle } from './fakes/fake-clock.ts';
import { obedient } from './fakes/programs.ts';

const CONTAINERS_MAX = 5;
const versions: readonly FunctionVersion[] = [
  versionOf({ name: 'one', maxContainers: 2, timeoutMs: 300 }, 1),
  versionOf({ name: 'one', maxContainers: 1, timeoutMs: 100 }, 2),
  versionOf({ name: 'two', maxContainers: 3, concurrency: 3, timeoutMs: 200 }, 1),
];
const paths = ['/hello', '/hello', '/hello', '/never', '/polite', '/throw', '/exit', '/oom', '/segv'];

type Step = (world: World) => Promise<unknown> | void;

interface World {
  readonly bench: Bench;
  readonly calls: Call[];
  readonly ending: Promise<void>[];
}

const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % Math.max(items.length, 1)];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...versions), fc.constantFrom(...paths), fc.boolean()).map(invoke) },
  {
    weight: 2,
    arbitrary: fc.nat(50).map(
      (at) =>
        ({ calls }: World) =>
          pick(calls, at)?.handle?.cancel('cancelled'),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(120).map(
      (ms) =>
        ({ bench }: World) =>
          bench.clock.advance(ms),
    ),
  },
  { weight: 3, arbitrary: fc.constant(() => settle()) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(9), fc.boolean()).map(kill) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...versions).map(
      (live) =>
        ({ bench }: World) =>
          bench.scheduler.replaced(live),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('one', 'two').map((name) => ({ bench, ending }: World) => {
      ending.push(bench.scheduler.removed(name));
    }),
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }).map((fails) => ({ bench }: World) => {
      bench.driver.failsAt = (serial) => fails[serial % fails.length] === true;
    }),
  },
);

/** Calls that a container is loaded in advance for from then on. */
const regular: readonly Step[] = Array.from({ length: 12 }, () => [
  async ({ bench, calls }: World) => {
    calls.push(await bench.called(versions[0]));
  },
  ({ bench }: World) => bench.clock.advance(200),
]).flat();

function invoke([version, path, hasBody]: [FunctionVersion, string, boolean]): Step {
  return ({ bench, calls }) => {
    const call = bench.call(version, path, hasBody);
    calls.push(call);
    if (!hasBody) return;
    call.handle?.write(Buffer.from('some body'));
    call.handle?.end();
  };
}

function kill([at, isSeen]: [number, boolean]): Step {
  return ({ bench }) => {
    const container = pick([...bench.driver.alive], at);
    if (isSeen) container?.hangUp();
    container?.exit({ signal: 'SIGSEGV' });
  };
}

/** What holds at every moment. */
function assertInvariants({ bench }: World): void {
  assert.ok(bench.driver.alive.size <= CONTAINERS_MAX, 'containersMax');
  for (const version of versions) {
    const key = `${version.name}@${version.version}`;
    const own = [...bench.driver.alive].filter(({ claims }) => claims.includes(key));
    assert.ok(own.length <= version.config.maxContainers, `maxContainers of ${key}`);
    for (const { openMax } of own) assert.ok(openMax <= version.config.concurrency, `concurrency of ${key}`);
  }
  for (const { claims } of bench.driver.made) assert.ok(claims.length <= 1, 'one version in one container');
}

function assertOneEndEach({ bench, calls }: World): void {
  for (const call of calls) {
    assert.equal(call.ends, 1, `${call.id} ends once`);
    const { outcome } = bench.receipt(call);
    assert.equal(outcome, call.error?.code ?? 'ok');
    assert.notEqual(outcome, 'ERR_INTERNAL');
  }
  assert.equal(bench.observer.receipts.length, calls.length);
}

test('Scheduler gives each call exactly one end and leaves nothing, whatever happens in whichever order', async () => {
  const endings = fc.constantFrom('close', 'destroy', 'close, then destroy');
  let preloads = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), endings, async (steps, isRegular, ending) => {
      await using bench = await Bench.open(obedient, {
        containersMax: CONTAINERS_MAX,
        queueMax: 6,
        queueTimeoutMs: 250,
        keepAliveMs: 40,
        keepAliveMaxMs: 2400,
        poolMin: 1,
        poolMax: 2,
        poolWarmMb: [256],
      });
      const world: World = { bench, calls: [], ending: [] };
      for (const run of isRegular ? [...regular, ...steps] : steps) {
        await run(world);
        assertInvariants(world);
      }
      const closed = ending === 'destroy' ? bench.scheduler.destroy() : bench.scheduler.close();
      if (ending === 'close, then destroy') void bench.scheduler.destroy();
      const state = { isClosed: false };
      void closed.then(() => (state.isClosed = true));
      for (let turn = 0; turn < 200 && !state.isClosed; turn++) {
        await bench.clock.advance(50);
        assertInvariants(world);
      }
      await bench.until(() => state.isClosed, 'it closes');
      await Promise.all(world.ending);
      assertOneEndEach(world);
      assert.equal(bench.driver.alive.size + bench.driver.creating, 0);
      assert.equal(bench.observer.deaths.length, bench.observer.created);
      preloads += bench.observer.preloads.length;
    }),
    { numRuns: 120 },
  );
  assert.ok(preloads > 0, 'some were loaded in advance');
});
