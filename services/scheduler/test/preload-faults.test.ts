import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeJson, fail, FLAG_END, FrameType } from '@hob/contracts';
import { Bench, type Call, versionOf } from './fakes/bench.ts';
import type { FakeContainer, Program } from './fakes/fake-container.ts';
import { hello, load, thrown } from './fakes/programs.ts';

/** Bins of 100 ms. */
const settings = { keepAliveMs: 300, keepAliveMaxMs: 24_000, freezeAfterMs: 100 };
const EVERY_MS = 2050;
const PRELOAD_MS = 1800;
const version = versionOf({ timeoutMs: 100 });

const isCodeWhole: (...frame: Parameters<Program>) => boolean = ({ type, flags }) =>
  type === FrameType.CODE && (flags & FLAG_END) !== 0;

/** What goes wrong with the container that is loaded in advance, and what then is told of it. */
const faults: Readonly<
  Record<string, { readonly outcome: string; readonly takesMs?: number; readonly arm: (bench: Bench) => void }>
> = {
  'its fork fails': {
    outcome: 'failed',
    arm: ({ driver }) => (driver.failsAt = () => true),
  },
  'its limits cannot be set': {
    outcome: 'failed',
    arm: ({ driver }) =>
      (driver.onMade = (container) => (container.prepareError = fail('ERR_NATIVE_SYSCALL', ['memory.max', 'EBUSY']))),
  },
  'its code throws': {
    outcome: 'failed',
    arm: ({ driver }) =>
      (driver.program = (...at) => {
        if (isCodeWhole(...at)) at[1].emit(encodeJson(FrameType.LOAD_FAILED, 0, thrown));
      }),
  },
  'its code ends the process': { outcome: 'failed', arm: (bench) => whenCode(bench, (it) => it.exit({ code: 1 })) },
  'its code runs out of memory': {
    outcome: 'failed',
    arm: (bench) => whenCode(bench, (it) => it.exit({ signal: 'SIGKILL', oomKilled: true })),
  },
  'its code never ends': { outcome: 'failed', takesMs: 100, arm: (bench) => whenCode(bench, () => undefined) },
  'its socket closes': {
    outcome: 'failed',
    arm: (bench) =>
      whenCode(bench, (it) => {
        it.hangUp();
        it.exit({ code: 1 });
      }),
  },
  'it ends once it is loaded': {
    outcome: 'wasted',
    arm: ({ driver }) =>
      (driver.program = (frame, container) => {
        if (load(frame, container) && container.isLoaded) container.exit({ signal: 'SIGSEGV' });
      }),
  },
};

function whenCode({ driver }: Bench, act: (container: FakeContainer) => void): void {
  driver.program = (...at) => {
    if (isCodeWhole(...at)) act(at[1]);
  };
}

function disarm({ driver }: Bench): void {
  driver.failsAt = () => false;
  driver.onMade = () => undefined;
  driver.program = hello;
}

/** Calls until a container is about to be loaded in advance. */
async function expectant(bench: Bench): Promise<void> {
  for (let count = 0; count <= 40; count += 1) {
    await bench.called(version);
    await bench.clock.advance(count === 40 ? PRELOAD_MS - 1 : EVERY_MS);
  }
  assert.equal(bench.driver.alive.size, 0);
  bench.observer.preloads.splice(0);
}

for (const [what, { outcome, takesMs, arm }] of Object.entries(faults)) {
  test(`a container loaded in advance harms no call when ${what}: it is tried once, and nothing is left`, async () => {
    await using bench = await Bench.open(hello, settings);
    await expectant(bench);
    arm(bench);
    const { failsAt } = bench.driver;
    let forks = 0;
    bench.driver.failsAt = (serial) => {
      forks += 1;
      return failsAt(serial);
    };
    await bench.clock.advance(1 + (takesMs ?? 0));
    await bench.until(() => bench.observer.preloads.length === 1, 'it is over');
    assert.deepEqual(bench.observer.preloads, [outcome]);
    assert.equal(bench.driver.alive.size, 0);

    disarm(bench);
    const before = bench.driver.made.length;
    const call = await bench.called(version);
    assert.equal(call.error, undefined, 'a call that comes at once starts one of its own');
    assert.equal(bench.driver.made.length, before + 1);
    assert.equal(forks, 1, 'there was one try');

    await bench.clock.advance(EVERY_MS);
    assert.deepEqual((await bench.called(version)).response?.start, 'warm', 'and the next one is loaded again');
  });
}

test('a function that cannot be loaded any more is tried once for each call, and its calls fail as ever', async () => {
  await using bench = await Bench.open(hello, settings);
  await expectant(bench);
  faults['its code throws']?.arm(bench);
  await bench.clock.advance(1);
  const before = bench.driver.made.length;
  await bench.clock.advance(3_600_000);
  assert.equal(bench.driver.made.length, before, 'there is no loop');
  const calls: Call[] = [];
  for (let count = 0; count < 5; count += 1) {
    calls.push(await bench.called(version));
    await bench.clock.advance(EVERY_MS);
  }
  assert.deepEqual([...new Set(calls.map(({ error }) => error?.code))], ['ERR_FN_LOAD_FAILED']);
  assert.equal(bench.driver.made.length, before + 5, 'nor is one loaded in advance after a failed start');
});
