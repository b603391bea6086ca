import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import * as fc from 'fast-check';
import { readableLog } from '../src/serve/server-log.ts';
import { controlFilter, humanBytes, table, Terminal, withoutControls } from '../src/terminal.ts';

const steering = /[^\t\n\P{Cc}]/u;

test('controlFilter() lets no control character through, however the bytes are cut', async () => {
  const input = fc.tuple(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 1, max: 5 }));
  await fc.assert(
    fc.asyncProperty(input, async ([written, size]) => {
      const bytes = Buffer.from(written);
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => {
        return bytes.subarray(at * size, (at + 1) * size);
      });
      const passed = await text(Readable.from(pieces).pipe(controlFilter()));
      assert.doesNotMatch(passed, steering);
      // A byte order mark at the start is taken for one, and not shown.
      assert.equal(passed, withoutControls(bytes.toString().replace(/^\ufeff/, '')));
    }),
    { numRuns: 50 },
  );
});

test('table() lines columns up and leaves no space at the ends', () => {
  assert.equal(
    table(
      ['A', 'LONG'],
      [
        ['xyz', '1'],
        ['', '22'],
      ],
    ),
    'A    LONG\nxyz  1\n     22',
  );
});

test('humanBytes() stays short', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 200 * 1024, 5 * 2 ** 30].map(humanBytes), [
    '0 B',
    '1023 B',
    '1.0 KB',
    '1.5 KB',
    '200 KB',
    '5.0 GB',
  ]);
});

function terminalOn(isTTY: boolean): { terminal: Terminal; written: () => string } {
  const stderr = Object.assign(new PassThrough(), { isTTY });
  const terminal = new Terminal({ stdout: new PassThrough(), stderr }, { NO_COLOR: '1' });
  return { terminal, written: () => String(stderr.read() ?? '') };
}

async function slowStep(t: TestContext, isTTY: boolean): Promise<string> {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const nowMs = t.mock.method(performance, 'now', () => 0);
  const { terminal, written } = terminalOn(isTTY);
  const step = Promise.withResolvers<string>();
  const result = terminal.progress('bundling', () => step.promise);
  assert.equal(written(), '');
  nowMs.mock.mockImplementation(() => 1000);
  t.mock.timers.tick(1000);
  step.resolve('done');
  assert.equal(await result, 'done');
  return written();
}

test('Terminal.progress() tells of a step once it takes over a second', async (t) => {
  assert.equal(await slowStep(t, false), 'bundling…\n');
});

test('Terminal.progress() on a terminal keeps to one line, and clears it', async (t) => {
  assert.equal(await slowStep(t, true), '\rbundling… 1 s\u001b[K\r\u001b[K');
});

test('readableLog() is one line of time, level, message and details, without control characters', () => {
  const { terminal } = terminalOn(true);
  const time = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  const line = readableLog(JSON.stringify({ level: 40, time, msg: 'a\u001b[2J', pid: 7, why: 'x' }), terminal);
  assert.equal(line, '03:04:05.006 warn  a[2J pid=7 why=x');
});
