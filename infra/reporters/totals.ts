/** A reporter of `node --test` for programs: one line of JSON at the end, `{"passed":N,"failed":N,"skipped":N}`. */
import type { TestEvent } from 'node:test/reporters';
import { verdictOf } from './event.ts';

/** @yields the totals, once, when every test has ended */
export default async function* totals(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const event of events) {
    const verdict = verdictOf(event);
    if (verdict) counts[verdict.outcome] += 1;
  }
  yield `${JSON.stringify(counts)}\n`;
}
