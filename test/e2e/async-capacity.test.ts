import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drainBacklog, drainText } from '../support/backlog.ts';

/** `npm run test:load -- --only backlog` has more. */
const EVENTS = 2000;
/** How much slower the median of a short synchronous call may be while a backlog of computing drains. */
const RATIO_MAX = 6;

test('Synchronous calls keep their latency while a backlog of asynchronous work drains', async (t) => {
  const drain = await drainBacklog(EVENTS);
  t.diagnostic(drainText(drain));
  const { quiet, beside } = drain;
  assert.ok(beside.calls > 100, `${beside.calls} calls beside it`);
  assert.ok(beside.medianMs < quiet.medianMs * RATIO_MAX, `${beside.medianMs} ms, ${quiet.medianMs} ms before`);
});
