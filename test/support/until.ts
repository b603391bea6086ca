import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from './patience.ts';

/** How long a state may take to come about before a test gives up, ms. It bounds a failure; nothing is measured by it. */
const PATIENCE_MS = 60_000 * patience;
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 500;
/** A pause is this many times as long as the look before it, which leaves the processor to what is waited for. */
const PAUSE_TIMES = 4;

type Probe<T> = () => Promise<T | undefined | false> | T | undefined | false;

/**
 * Waits for a state.
 *
 * @param what names the state, for the message when it never comes; a function is asked when it has not come.
 * @param probe looks once; anything but undefined and false is the state. What it throws ends the wait.
 */
export async function until<T>(what: string | (() => string), probe: Probe<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const startedMs = performance.now();
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    const endedMs = performance.now();
    if (endedMs > deadline)
      throw new Error(`never happened within ${PATIENCE_MS} ms: ${typeof what === 'string' ? what : what()}`);
    await sleep(Math.min(Math.max(PAUSE_TIMES * (endedMs - startedMs), PAUSE_MIN_MS), PAUSE_MAX_MS));
  }
}
