import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readTrace } from '../../src/simulate/read-trace.ts';
import { temporaryFolder } from '../fakes/command-run.ts';

/** Writes a file of these lines. @returns its path. */
async function file(context: TestContext, ...lines: string[]): Promise<string> {
  const path = join(await temporaryFolder(context), 'file.csv');
  await writeFile(path, lines.join('\n'));
  return path;
}

const head2019 = 'HashOwner,HashApp,HashFunction,Trigger,1,2,3';
const head2021 = 'app,func,end_timestamp,duration';

test('readTrace: the form of 2021 has a call in each row, and gives them in the order of their starts', async (t) => {
  const trace = await file(t, head2021, 'a,f,2.5,0.5', 'a,g,3,2.75', 'b,f,4,0', '');
  const read = await readTrace({ trace });
  assert.equal(read.trace.size, 3);
  assert.deepEqual(
    [...read.trace.calls()],
    [
      { atMs: 250, durationMs: 2750, target: 1 },
      { atMs: 2000, durationMs: 500, target: 0 },
      { atMs: 4000, durationMs: 0, target: 2 },
    ],
  );
  assert.deepEqual(read.trace.functions.at(-1), { app: 'b', name: 'f' });
  assert.deepEqual(read.memoryMb, [256, 256, 256]);
});

test('readTrace: the form of 2019 has calls by the minute, which are spread over it', async (t) => {
  const trace = await file(t, head2019, 'o,a,f,timer,2,0,1', 'o,a,g,http,0,3,0');
  const read = await readTrace({ trace });
  assert.equal(read.trace.size, 6);
  const all = [...read.trace.calls()];
  assert.deepEqual(
    all.map(({ target }) => target),
    [0, 0, 1, 1, 1, 0],
  );
  assert.deepEqual(
    all.map(({ atMs }) => Math.floor(atMs / 60_000)),
    [0, 0, 1, 1, 1, 2],
  );
  const gaps = all.slice(1).map(({ atMs }, at) => Math.round(atMs - (all[at]?.atMs ?? 0)));
  assert.deepEqual([gaps[0], gaps[2], gaps[3]], [30_000, 20_000, 20_000]);
});

test('readTrace: durations and memory of other files count where they know a function or its application', async (t) => {
  const trace = await file(t, head2019, 'o,a,f,timer,1,0,0', 'o,a,g,timer,0,1,0', 'o,b,h,timer,0,0,1');
  const durations = await file(t, 'HashOwner,HashApp,HashFunction,Average,Count', 'o,a,g,1500.5,9', 'o,x,y,1,1');
  const ofApps = await file(t, 'HashOwner,HashApp,SampleCount,AverageAllocatedMb', 'o,a,5,128');
  const ofFunctions = await file(t, 'HashOwner,HashApp,HashFunction,AverageAllocatedMb', 'o,a,f,64.5');
  const read = await readTrace({ trace, durations, memory: ofApps });
  assert.deepEqual(
    [...read.trace.calls()].map(({ durationMs }) => durationMs),
    [100, 1500.5, 100],
  );
  assert.deepEqual(read.memoryMb, [128, 128, 256]);
  assert.deepEqual((await readTrace({ trace, memory: ofFunctions })).memoryMb, [64.5, 256, 256]);
});

test('readTrace: what cannot be read is told by file and line', async (t) => {
  const good = await file(t, head2019, 'o,a,f,timer,1,0,0');
  const memory = 'HashApp,AverageAllocatedMb';
  const bad: [lines: string[], expected: RegExp, option?: 'durations' | 'memory'][] = [
    [[], /:1: it is empty$/],
    [['a,b,c', '1,2,3'], /:1: the columns are neither/],
    [[head2021], /:1: there is no call in it$/],
    [[head2019, 'o,a,f,timer,0,0,0'], /:1: there is no call in it$/],
    [['app,end_timestamp,duration', 'a,1,1'], /:1: it has no column "func"$/],
    [[head2021, 'a,f,1,1', 'a,f,1'], /:3: it has 3 columns, the first line 4$/],
    [[head2021, 'a,f,1,1', '', 'a,f,soon,1'], /:4: end_timestamp is "soon", not a number from 0 on$/],
    [[head2021, 'a,f,1,-1'], /:2: duration is "-1"/],
    [[head2021, 'a,f,1,'], /:2: duration is ""/],
    [[head2021, 'a,f,1,Infinity'], /:2: duration is "Infinity"/],
    [[head2019, 'o,a,f,timer,1,0,0', 'o,a,g,timer,1,1.5,0'], /:3: minute 2 has 1.5 calls$/],
    [[head2021, 'a,f,1,1', 'a,"f,1,1'], /:\d: Quote Not Closed/],
    [['HashApp,HashFunction', 'a,f'], /:1: it has no column "Average"$/, 'durations'],
    [[memory, 'a,0'], /:2: a container without memory$/, 'memory'],
    [[memory, 'a,much'], /:2: AverageAllocatedMb is "much"/, 'memory'],
  ];
  for (const [lines, message, option] of bad) {
    const path = await file(t, ...lines);
    const files = option === undefined ? { trace: path } : { trace: good, [option]: path };
    await assert.rejects(readTrace(files), { code: 'ERR_CLI_BAD_TRACE', message });
  }
});

test('readTrace: durations beside a trace that has them are refused, and a missing file is told as such', async (t) => {
  const trace = await file(t, head2021, 'a,f,1,1');
  await assert.rejects(readTrace({ trace, durations: trace }), { code: 'ERR_CLI_USAGE' });
  await assert.rejects(readTrace({ trace: `${trace}.absent` }), {
    code: 'ERR_CLI_BAD_TRACE',
    message: /absent:1: ENOENT/,
  });
});
