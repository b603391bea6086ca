import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Measurement, quantile, quantiles, ratio, toRecord } from './measurement.ts';
import { parseWrk } from './peers/wrk.ts';
import { formatTable } from './table.ts';

const latency: Measurement = {
  name: 'call',
  unit: 'ms',
  better: 'lower',
  hob: { p50: 2, p99: 4 },
  peer: { name: 'peer', p50: 30, p99: 40 },
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

test('ratio() is above 1 when hob is better, whichever way better is', () => {
  assert.equal(ratio(latency), 15);
  assert.equal(ratio({ ...latency, better: 'higher' }), 2 / 30);
  assert.equal(ratio({ ...latency, peer: { name: 'crun', missing: 'not installed' } }), undefined);
});

test('toRecord() and formatTable() name a missing peer and why', () => {
  const missing: Measurement = { ...latency, peer: { name: 'crun', missing: 'not installed' } };
  assert.equal('ratio' in toRecord(missing), false);
  assert.equal(toRecord(latency).ratio, 15);
  assert.equal(toRecord({ ...latency, hob: { p50: 1 / 3, p99: 4 } }).hob.p50, 0.333);
  assert.match(formatTable([latency, missing]), /crun: MISSING, not installed/);
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
