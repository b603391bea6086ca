import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { StreamTable } from '../src/stream-table.ts';

test('StreamTable holds what a Map would', () => {
  // Numbers of which many want the same place, also such as need more than 32 bits.
  const number = fc.oneof(
    fc.nat(12),
    fc.nat(12).map((n) => n * 8),
    fc.nat(12).map((n) => 2 ** 32 + n),
  );
  const command = fc.tuple(fc.constantFrom('set', 'set', 'delete', 'delete', 'clear'), number);
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const table = new StreamTable<string>();
      const map = new Map<number, string>();
      for (const [at, [what, key]] of commands.entries()) {
        if (what === 'set') {
          table.set(key, `${at}`);
          map.set(key, `${at}`);
        } else if (what === 'delete') assert.equal(table.delete(key), map.delete(key));
        else if (at % 50 === 0) {
          table.clear();
          map.clear();
        }
        assert.equal(table.size, map.size);
        assert.deepEqual([table.get(key), table.has(key)], [map.get(key), map.has(key)]);
      }
      assert.deepEqual([...table].toSorted(), [...map.values()].toSorted());
      for (const key of map.keys()) assert.equal(table.get(key), map.get(key));
    }),
  );
});

test('StreamTable lets what it gives be deleted meanwhile', () => {
  const table = new StreamTable<number>();
  for (let number = 0; number < 40; number += 1) table.set(number, number);
  const given: number[] = [];
  for (const number of table) {
    given.push(number);
    table.delete(number);
    table.delete((number + 8) % 40);
  }
  assert.equal(table.size, 0);
  assert.equal(new Set(given).size, given.length);
});

test('what passed through an old StreamTable is garbage for young collections', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
  const [passing, openAtOnce, valueBytes] = [20_000, 32, 800];
  const table = new StreamTable<unknown>();
  table.set(1, {});
  // Whoever survives a few collections is old from then on.
  for (let times = 0; times < 3; times += 1) collect({ type: 'minor' });
  collect({ type: 'major' });
  const beforeBytes = getHeapStatistics().used_heap_size;
  for (let number = 2; number <= passing; number += 1) {
    table.set(number, Array(valueBytes / 8).fill(number));
    table.delete(number - openAtOnce);
    if (number % 1000 === 0) collect({ type: 'minor' });
  }
  const keptBytes = getHeapStatistics().used_heap_size - beforeBytes;
  assert.equal(table.size, openAtOnce);
  assert.ok(keptBytes < (passing * valueBytes) / 8, `${keptBytes} bytes are kept of ${passing * valueBytes}`);
});
