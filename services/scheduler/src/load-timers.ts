import { fail } from '@hob/contracts';
import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';
import { deathBy } from './death.ts';

/** Ends containers that have the code of a version and are not loaded in time. */
export class LoadTimers {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #timers = new Map<Container, Timer>();

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  start(container: Container): void {
    const expire = (): void => container.end(deathBy('timeout', fail('ERR_FN_TIMEOUT', [this.#timeoutMs])));
    this.#timers.set(container, this.#clock.after(this.#timeoutMs, expire));
  }

  /** It is loaded, or dead. */
  stop(container: Container): void {
    this.#timers.get(container)?.cancel();
    this.#timers.delete(container);
  }
}
