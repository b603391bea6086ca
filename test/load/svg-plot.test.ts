import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tickStep } from '@hob/cli/svg';
import { svgPlot } from './svg-plot.ts';

test('tickStep() is 1, 2 or 5 times a power of ten, with at most so many steps', () => {
  assert.deepEqual(
    [4, 9, 30, 0.3, 700].map((most) => tickStep(most, 5)),
    [1, 2, 10, 0.1, 200],
  );
});

test('svgPlot() draws every point inside of its panel, larger values higher, and escapes what is said', () => {
  const points = [
    [0, 0],
    [1, 7],
    [2, 3],
  ] as const;
  const series = [{ name: 'a < b', colour: 'red', points }];
  const svg = svgPlot({ title: 'A & B', xTitle: 's', panels: [1, 2].map((at) => ({ title: `p${at}`, series })) });
  assert.match(svg, /A &amp; B/);
  assert.match(svg, />a &lt; b</);
  const lines = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, text]) =>
    (text ?? '').split(' ').map((pair) => pair.split(',').map(Number)),
  );
  assert.equal(lines.length, 2);
  const [, heightText] = /viewBox="0 0 900 (\d+)"/.exec(svg) ?? [];
  for (const line of lines) {
    const ys = line.map(([, y = NaN]) => y);
    assert.ok(line.every(([x = NaN, y = NaN]) => x >= 0 && x <= 900 && y >= 0 && y <= Number(heightText)));
    assert.deepEqual(
      [...ys].toSorted((a, b) => a - b),
      [ys[1], ys[2], ys[0]],
    );
  }
  assert.ok((lines[0]?.[0]?.[1] ?? NaN) < (lines[1]?.[1]?.[1] ?? NaN), 'the second is below the first');
});
