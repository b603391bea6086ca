/**
 * A queue in the middle of whose work the clock jumps: `clock-jump.ts <file of the shift> <ms>`, with `shifted-clock.c` preloaded.
 * Ends with 0 when everything goes on as promised.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { FunctionConfig, FunctionVersion, KeyedCall } from '@hob/contracts';
import { policy, QueueFixture } from './queue-fixture.ts';
import { until } from './until.ts';

const HOUR_MS = 3_600_000;
const [file = '', jump = ''] = process.argv.slice(2);
const jumpMs = Number(jump);

function setClock(): void {
  const before = Date.now();
  // In place: the file is mapped into this process and Redis.
  writeFileSync(file, new BigInt64Array([BigInt(jumpMs)]), { flag: 'r+' });
  assert.ok(Math.abs(Date.now() - before - jumpMs) < HOUR_MS / 2, 'the clock has jumped');
}

const schedule = [{ name: 'tick', everyMs: 1000 }];
const version: FunctionVersion = {
  name: 'work',
  version: 1,
  digest: '',
  bundleBytes: 0,
  hasAssets: false,
  createdAt: '',
  config: { schedule } as FunctionConfig,
};
/** Old age is no reason to give an event up here. */
const patient = { ...policy, backoffMs: 10_000, backoffMaxMs: 10_000, maxAgeMs: 2 * HOUR_MS };
const call: KeyedCall = { scope: 'work', key: 'k', fingerprint: 'f', id: 'first', isOnce: false };
const response = { status: 200, headers: [], body: Buffer.from('once') };

await using fixture = await QueueFixture.open({ idempotencyKeepMs: 2 * HOUR_MS, resultKeepMs: 2 * HOUR_MS });
const { queue, invoker } = fixture;
const ticks = (): number => invoker.calls.filter(({ request }) => request.headers.includes('tick')).length;
const going = Promise.withResolvers<string>();
invoker.behaviour = ({ body, attempt }) => {
  if (body === 'runs on') return going.promise;
  return body === 'fails once' && attempt === 1 ? 500 : 'done';
};
await queue.started([version]);
await until('the schedule calls', () => ticks() > 0);
const done = await fixture.submit({ body: Buffer.from('done') });
await fixture.reached(done, 'succeeded');
const running = await fixture.submit({ body: Buffer.from('runs on'), policy: patient });
await fixture.reached(running, 'running');
const failed = await fixture.submit({
  body: Buffer.from('fails once'),
  policy: patient,
});
await fixture.reached(failed, 'failed');
assert.equal((await queue.keys.claim(call)).isFirst, true);
const ticksBefore = ticks();

setClock();

assert.equal((await queue.keys.claim({ ...call, id: 'second' })).isFirst, false);
await queue.keys.settle(call, response);
assert.deepEqual((await queue.keys.claim({ ...call, id: 'third' })).response, response);
going.resolve('done');
await fixture.reached(running, 'succeeded');
await fixture.reached(failed, 'succeeded');
assert.equal(invoker.calls.filter(({ body }) => body === 'fails once').length, 2);
await until('the schedule goes on', () => ticks() >= ticksBefore + 3);
const ids = invoker.calls.filter(({ request }) => request.headers.includes('tick')).map(({ request }) => request.id);
assert.equal(new Set(ids).size, ids.length, 'no time twice');
assert.ok(ticks() < ticksBefore + 100, 'what was missed is not made up for time by time');
assert.equal((await queue.read(done))?.status, 'succeeded');
const later = await fixture.submit({ body: Buffer.from('done') });
await fixture.reached(later, 'succeeded');
