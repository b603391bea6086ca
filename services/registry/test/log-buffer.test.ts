import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogLine } from '@hob/contracts';
import * as fc from 'fast-check';
import { BUFFER_CHARACTERS_MAX, BUFFER_LINES_MAX, LogBuffer } from '../src/log-buffer.ts';

function lineOf(name: string, line: string): LogLine {
  return { timeMs: 1, function: name, version: 3, invocationId: 'id', channel: 'stdout', line };
}

test('LogBuffer gives lines by function and in order, and has them until they are done', () => {
  const buffer = new LogBuffer();
  assert.ok(buffer.isEmpty);
  for (const [name, line] of [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ] as const) {
    buffer.push(lineOf(name, line));
  }
  const seen = buffer.batches().map((batch) => [batch.function, ...batch.lines.map(({ line }) => line)]);
  assert.deepEqual(seen, [
    ['a', '1', '3'],
    ['b', '2'],
  ]);
  const [first, second] = buffer.batches();
  assert.ok(first && second);
  buffer.push(lineOf('a', '4'));
  buffer.done(first, false);
  buffer.done(second, false);
  assert.deepEqual(
    buffer.batches().map((batch) => batch.lines.map(({ line }) => line)),
    [['4']],
  );
  assert.equal(buffer.isEmpty, false);
});

test('LogBuffer drops what one function writes too much, tells how many lines, and lets others be', () => {
  const buffer = new LogBuffer();
  for (let index = 0; index < BUFFER_LINES_MAX + 5; index += 1) buffer.push(lineOf('loud', String(index)));
  buffer.push(lineOf('soft', 'x'));
  const [loud, soft] = buffer.batches();
  assert.ok(loud && soft);
  assert.equal(loud.lines.length, BUFFER_LINES_MAX + 1);
  const told = loud.lines.at(-1);
  assert.equal(told?.channel, 'platform');
  assert.match(told?.line ?? '', /^5 lines were dropped/);
  assert.deepEqual(
    soft.lines.map(({ line }) => line),
    ['x'],
  );
  buffer.push(lineOf('loud', 'dropped too: nothing was told yet'));
  buffer.done(loud, false);
  buffer.done(soft, false);
  const [rest] = buffer.batches();
  assert.match(rest?.lines.map(({ line }) => line).join() ?? '', /^1 line was dropped/);
  assert.ok(rest);
  buffer.done(rest, false);
  assert.ok(buffer.isEmpty);
});

test('LogBuffer counts a batch that is lost as dropped, with those that were dropped before', () => {
  const buffer = new LogBuffer();
  for (let index = 0; index < BUFFER_LINES_MAX + 5; index += 1) buffer.push(lineOf('loud', String(index)));
  const [batch] = buffer.batches();
  assert.ok(batch);
  buffer.done(batch, true);
  const [told] = buffer.batches();
  assert.equal(told?.lines.length, 1);
  assert.match(told?.lines[0]?.line ?? '', new RegExp(`^${BUFFER_LINES_MAX + 5} lines were dropped`));
});

test('LogBuffer holds no more characters than it may, of any number of functions, and frees them', () => {
  const buffer = new LogBuffer();
  const line = 'x'.repeat(16 * 1024);
  const fill = (): void => {
    for (let index = 0; index < 2000; index += 1) buffer.push(lineOf(`f${index % 20}`, line));
  };
  const held = (): number => buffer.batches().reduce((sum, batch) => sum + batch.taken * line.length, 0);
  fill();
  const before = held();
  assert.ok(before <= BUFFER_CHARACTERS_MAX && before > BUFFER_CHARACTERS_MAX / 2);
  for (const batch of buffer.batches()) buffer.done(batch, false);
  for (const batch of buffer.batches()) buffer.done(batch, false);
  assert.ok(buffer.isEmpty);
  fill();
  assert.equal(held(), before);
});

test('LogBuffer accounts for every line: it arrives or is counted', () => {
  const step = fc.oneof(
    fc.record({ push: fc.constantFrom('a', 'b', 'c'), many: fc.integer({ min: 1, max: 1500 }) }),
    fc.record({ flush: fc.constantFrom('done', 'lost', 'later') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const buffer = new LogBuffer();
      let pushed = 0;
      let arrived = 0;
      let told = 0;
      const flush = (how: 'done' | 'lost' | 'later'): void => {
        for (const batch of buffer.batches()) {
          if (how === 'later') continue;
          buffer.done(batch, how === 'lost');
          if (how === 'lost') continue;
          arrived += batch.taken;
          told += batch.dropped;
        }
      };
      for (const one of steps) {
        if ('flush' in one) flush(one.flush);
        else for (let n = 0; n < one.many; n += 1, pushed += 1) buffer.push(lineOf(one.push, 'x'));
      }
      while (!buffer.isEmpty) flush('done');
      assert.equal(arrived + told, pushed);
    }),
    { numRuns: 50 },
  );
});
