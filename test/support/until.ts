import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from './patience.ts';

/** How long a state may take to come about before a test gives up, ms. It bounds a failure; nothing is measured by it. */
const PATIENCE_MS = 60_000 * patience;
const PAUSE_MS = 20;

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
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline)
      throw new Error(`never happened within ${PATIENCE_MS} ms: ${typeof what === 'string' ? what : what()}`);
    await sleep(PAUSE_MS);
  }
}
