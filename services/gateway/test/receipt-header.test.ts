import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decimal } from '../src/receipt-header.ts';

test('decimal() rounds to hundredths and always has a point', () => {
  const expected = {
    0: '0.0',
    3: '3.0',
    0.25: '0.25',
    1.125: '1.13',
    1.1: '1.1',
    0.004: '0.0',
    0.995: '1.0',
    7.06: '7.06',
  };
  for (const [ms, text] of Object.entries(expected)) assert.equal(decimal(Number(ms)), text);
  assert.equal(decimal(-0.001), '0.0');
  assert.equal(decimal(-1.5), '-1.5');
  fc.assert(
    fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (ms) => {
      assert.match(decimal(ms), /^-?(?:0|[1-9]\d*)\.\d{1,2}$/);
      assert.ok(Math.abs(Number(decimal(ms)) - ms) <= 0.005 + 1e-6);
    }),
  );
});
