import { drainBacklog, drainText } from '../support/backlog.ts';

const EVENTS = 10_000;
/** Synchronous calls take about as long beside the backlog, chance aside. */
const NEAR = 3;

/**
 * Ten thousand asynchronous calls are accepted and made, while synchronous ones come.
 *
 * @returns what did not go as it should.
 */
export async function backlog(): Promise<string[]> {
  const drain = await drainBacklog(EVENTS);
  console.log(`${EVENTS} events: ${drainText(drain)}\n`);
  const { quiet, beside } = drain;
  if (beside.medianMs < NEAR * quiet.medianMs) return [];
  return [
    `backlog: synchronous calls took ${(beside.medianMs / quiet.medianMs).toFixed(1)} times as long as before it`,
  ];
}
