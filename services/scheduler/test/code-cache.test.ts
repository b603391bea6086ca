import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJson, encodeFrame, encodeJson, FLAG_END, FrameType } from '@hob/contracts';
import { Bench, versionOf } from './fakes/bench.ts';
import { settle } from './fakes/fake-clock.ts';
import type { FakeContainer, Program } from './fakes/fake-container.ts';
import { load, respond, thrown } from './fakes/programs.ts';

const code = `export default () => ${'1'.repeat(100_000)};\n`;
const version = versionOf({}, 1, { bundleBytes: code.length });
const file = `${version.digest}-nodejs24.x-256.v8`;

/** Compiles to `cache of <bytes>`, in two pieces; accepts every cache. */
const compiling: Program = (frame, container) => {
  if (isCompiler(container)) {
    if (frame.type !== FrameType.CODE || (frame.flags & FLAG_END) === 0) return;
    container.emit(encodeFrame(FrameType.CACHE, 0, 'cache of '), encodeFrame(FrameType.CACHE, 0, 'code', FLAG_END));
  } else if (!load(frame, container) && frame.type === FrameType.INVOKE) respond(container, frame.stream);
};

function isCompiler({ frames }: FakeContainer): boolean {
  return frames[0]?.type === FrameType.COMPILE;
}

function compilers(bench: Bench): FakeContainer[] {
  return bench.driver.made.filter(isCompiler);
}

async function cacheFiles(bench: Bench): Promise<string[]> {
  return await readdir(join(bench.folder, 'cache')).catch(() => []);
}

/** Waits until the cache is made: its file is there, and its maker knows. */
async function made(bench: Bench, compilations: number): Promise<void> {
  const isDone = (): boolean => compilers(bench).filter(({ isDead }) => isDead).length === compilations;
  await bench.until(() => isDone() && existsSync(join(bench.folder, 'cache', file)), `${compilations} are made`);
  await settle();
}

/** Ends what runs the version, so that the next call starts anew. */
async function restart(bench: Bench): Promise<void> {
  bench.scheduler.replaced(versionOf({}, 99));
  await bench.until(() => bench.driver.alive.size === 0, 'nothing runs');
}

test('CodeCaches makes a cache in a container of its own at the first load, and gives it at the next', async () => {
  await using bench = await Bench.open(compiling, {}, code);
  await bench.called(version);
  await made(bench, 1);
  assert.deepEqual(bench.observer.deaths, [{ function: '', cause: 'reclaimed', cpuSeconds: 0.25 }]);
  const [compiler] = compilers(bench);
  assert.ok(compiler);
  assert.equal(compiler.claims.length, 0);
  assert.deepEqual(decodeJson(compiler.frames[0] ?? assert.fail()), {
    filename: '/var/task/index.mjs',
    codeBytes: code.length,
  });
  assert.deepEqual(await cacheFiles(bench), [file]);
  assert.equal(await readFile(join(bench.folder, 'cache', file), 'utf8'), 'cache of code');
  await restart(bench);
  await bench.called(version);
  const frames = bench.driver.claimed.at(-1)?.frames ?? [];
  const types = frames.map(({ type }) => type);
  assert.deepEqual(types, [FrameType.CLAIM, FrameType.CACHE, FrameType.CODE, FrameType.INVOKE]);
  assert.equal(decodeJson(frames[0] ?? assert.fail())['cacheBytes'], 13);
  assert.equal(Buffer.from(frames[1]?.payload ?? []).toString(), 'cache of code');
  assert.equal(compilers(bench).length, 1);
});

test('CodeCaches makes the cache of a version at its deploy', async () => {
  await using bench = await Bench.open(compiling, {}, code);
  bench.scheduler.replaced(version);
  await made(bench, 1);
  await bench.called(version);
  assert.equal(bench.driver.claimed[0]?.frames[1]?.type, FrameType.CACHE);
});

test('CodeCaches uses the cache that an earlier run has left', async () => {
  await using bench = await Bench.open(compiling, {}, code);
  await mkdir(join(bench.folder, 'cache'), { recursive: true });
  await writeFile(join(bench.folder, 'cache', file), 'of an earlier run');
  await bench.called(version);
  assert.equal(Buffer.from(bench.driver.claimed[0]?.frames[1]?.payload ?? []).toString(), 'of an earlier run');
  assert.equal(compilers(bench).length, 0);
});

test('CodeCaches makes a cache again that was rejected, once', async () => {
  const rejecting: Program = (frame, container) => {
    if (isCompiler(container)) compiling(frame, container);
    else {
      const hasCache = container.frames.some(({ type }) => type === FrameType.CACHE);
      if (!load(frame, container, hasCache) && frame.type === FrameType.INVOKE) respond(container, frame.stream);
    }
  };
  await using bench = await Bench.open(rejecting, {}, code);
  // Without, with one that is rejected and made again, with one that is rejected for good, without.
  for (const compilations of [1, 2]) {
    await bench.called(version);
    await made(bench, compilations);
    await restart(bench);
  }
  await bench.called(version);
  await bench.until(() => !existsSync(join(bench.folder, 'cache', file)), 'it is removed');
  await restart(bench);
  await bench.called(version);
  await bench.scheduler.close();
  assert.equal(compilers(bench).length, 2);
  const withCache = bench.driver.claimed.map(({ frames }) => frames.some(({ type }) => type === FrameType.CACHE));
  assert.deepEqual(withCache, [false, true, true, false]);
  assert.deepEqual(await cacheFiles(bench), []);
});

test('CodeCaches makes none of small code', async () => {
  await using bench = await Bench.open(compiling);
  await bench.called(versionOf({}, 1, { bundleBytes: 1_000_000 }));
  await bench.called(versionOf({}, 2));
  await bench.scheduler.close();
  assert.equal(compilers(bench).length, 0);
  assert.equal(bench.driver.made.length, 2);
});

for (const [what, answer] of Object.entries({
  'broken syntax': [encodeJson(FrameType.LOAD_FAILED, 0, thrown)],
  'a cache without end': Array.from({ length: 3 }, () => encodeFrame(FrameType.CACHE, 0, Buffer.alloc(900_000))),
})) {
  test(`CodeCaches gives up on ${what}, and calls go on without`, async () => {
    const failing: Program = (frame, container) => {
      if (!isCompiler(container)) compiling(frame, container);
      else if (frame.type === FrameType.CODE) container.emit(...answer);
    };
    await using bench = await Bench.open(failing, {}, code);
    await bench.called(version);
    await bench.until(() => bench.observer.deaths.length === 1, 'the compiler is gone');
    await restart(bench);
    assert.equal((await bench.called(version)).body, 'hello');
    assert.equal(compilers(bench).length, 1);
    assert.deepEqual(await cacheFiles(bench), []);
  });
}

test('CodeCaches ends a compiler that takes longer than codeCacheTimeoutMs', async () => {
  const stuck: Program = (frame, container) => {
    if (!isCompiler(container)) compiling(frame, container);
  };
  await using bench = await Bench.open(stuck, { codeCacheTimeoutMs: 5000 }, code);
  await bench.called(version);
  await bench.until(() => compilers(bench).length === 1, 'it compiles');
  await bench.clock.advance(5000);
  await bench.until(() => compilers(bench)[0]?.isDead === true, 'it is ended');
});
