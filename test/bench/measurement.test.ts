import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { barPlot } from './bar-plot.ts';
import { type Measurement, type Peer, quantile, quantiles, ratio, toRecord } from './measurement.ts';
import { parseWrk } from './peers/wrk.ts';
import { formatResults, replaceBetweenMarks } from './results.ts';
import { formatSummary, formatTable } from './table.ts';

const latency: Measurement = {
  name: 'call',
  unit: 'ms',
  better: 'lower',
  hob: { p50: 2, p99: 4 },
  peers: [{ name: 'peer', p50: 30, p99: 40 }],
  how: 'by hand',
};

test('quantile() is a sample, with at least its share of the samples at or below it and no smaller one has that', () => {
  const samples = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(samples, fc.constantFrom(0.01, 0.5, 0.99, 1), (values, share) => {
      const found = quantile(values, share);
      const below = (limit: number): number => values.filter((value) => value <= limit).length;
      assert.ok(values.includes(found));
      assert.ok(below(found) >= share * values.length - 1e-9);
      const smaller = values.filter((value) => value < found);
      if (smaller.length > 0) assert.ok(below(Math.max(...smaller)) < share * values.length);
    }),
  );
  assert.throws(() => quantile([], 0.5), RangeError);
});

test('quantiles() of throughput has the bad end as p99', () => {
  const rates = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.deepEqual(quantiles(rates), { p50: 50, p99: 99 });
  assert.deepEqual(quantiles(rates, 'higher'), { p50: 50, p99: 1 });
});

const peer: Peer = { name: 'peer 1.2: node:http, no container', p50: 30, p99: 40 };
const missing: Peer = { name: 'crun', missing: 'not installed' };

test('ratio() is above 1 when hob is better, whichever way better is', () => {
  assert.equal(ratio(latency, peer), 15);
  assert.equal(ratio({ ...latency, better: 'higher' }, peer), 2 / 30);
  assert.equal(ratio(latency, missing), undefined);
});

test('toRecord(), formatTable(), formatSummary() and barPlot() name a missing peer', () => {
  const both: Measurement = { ...latency, hob: { p50: 1 / 3, p99: 4 }, peers: [peer, missing] };
  const record = toRecord(both);
  assert.equal(record.hob.p50, 0.333);
  assert.deepEqual(
    record.peers.map(({ ratio: times }) => times),
    [90, undefined],
  );
  assert.match(formatTable([both]), /crun: MISSING [^]*\n- crun is missing: `not installed`$/);
  assert.match(formatSummary([both]), /peer 30.00 \(90.00×\), crun missing/);
  assert.match(barPlot('calls', [both]), />crun<.*\n.*>missing</);
});

test('formatSummary() and barPlot() leave out what has no peer, and formatTable() says once how several were measured', () => {
  const part: Measurement = { ...latency, name: 'part', peers: [] };
  assert.doesNotMatch(formatSummary([latency, part]), /part/);
  assert.doesNotMatch(barPlot('calls', [latency, part]), /part/);
  assert.match(formatTable([latency, part]), /\n- call; part: by hand\.$/);
});

test('barPlot() draws the largest of a group as the longest bar, and escapes names', () => {
  const odd: Measurement = { ...latency, name: 'a < b', peers: [{ name: '"&"', p50: 4, p99: 4 }] };
  const plot = barPlot('calls', [odd]);
  const [own = 0, other = 0] = [...plot.matchAll(/<rect x="\d+" y="\d+" width="(\d+)"/g)].map(([, width]) =>
    Number(width),
  );
  assert.equal(own * 2, other);
  assert.match(plot, />a &lt; b /);
  assert.match(plot, />&quot;&amp;&quot;</);
});

test('formatResults() names the machine, what failed, and programs that kept the machine busy', () => {
  const results = [
    { name: 'calls', othersPercent: 2, measurements: [latency], failure: undefined },
    { name: 'odd', othersPercent: 3, measurements: [], failure: 'no `load`\ngenerator' },
  ];
  const run = { machine: '2 cores', minutes: 12, results };
  const quiet = formatResults({ ...run, others: { worstPercent: 3, areQuiet: true } });
  assert.match(quiet, /on 2 cores; other programs used up to 3 % of the cores\./);
  assert.match(
    quiet,
    /!\[calls\]\(RESULTS-calls\.svg\)[^]*## odd\n\nOther programs used 3 % of [^]*\nIt failed: `no 'load' generator`\n/,
  );
  const busy = formatResults({ ...run, others: { worstPercent: 40, areQuiet: false } });
  assert.match(busy, /\*\*The machine was busy: other programs used up to 40 % /);
});

test('replaceBetweenMarks() changes nothing else, and refuses a text without marks', () => {
  const text = 'before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n';
  assert.equal(replaceBetweenMarks(text, 'new'), 'before\n<!-- bench:begin -->\n\nnew\n\n<!-- bench:end -->\nafter\n');
  assert.throws(() => replaceBetweenMarks('before', 'new'), /no <!-- bench:begin -->/);
});

const wrkOutput = `Running 4s test @ http://127.0.0.1:8080/
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.01ms  265.95us   9.60ms   90.62%
    Req/Sec    15.86k     1.07k   17.38k    77.50%
  Latency Distribution
     50%  960.00us
     75%    1.08ms
     90%    1.25ms
     99%    1.02s 
  126222 requests in 4.00s, 22.87MB read
Requests/sec:  31539.73
Transfer/sec:      5.71MB
`;

test('parseWrk() reads rates and latencies in every unit', () => {
  assert.deepEqual(parseWrk(wrkOutput), { requestsPerSecond: 31539.73, p50Ms: 0.96, p99Ms: 1020 });
});

test('parseWrk() refuses a run with errors', () => {
  assert.throws(
    () => parseWrk(wrkOutput.replace('Requests/sec', '  Non-2xx or 3xx responses: 3\nRequests/sec')),
    /Non-2xx/,
  );
  assert.throws(
    () =>
      parseWrk(
        wrkOutput.replace('Requests/sec', '  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec'),
      ),
    /Socket errors/,
  );
  assert.throws(() => parseWrk('wrk: unable to connect'), /no rate|no 50% latency/);
});
