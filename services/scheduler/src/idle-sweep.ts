import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';

/** What becomes of idle containers. Asked at each sweep. */
export interface IdleRules {
  /** How long an idle container is kept, ms. */
  readonly keepAliveMs: number;
  /** How many containers are kept however long they are idle. */
  readonly keptMin: number;
}

/**
 * Ends containers of one version that were idle for too long, the one that was used longest ago first.
 *
 * It looks when the next one may be due, not at each call: a container that is called again and again costs it nothing.
 */
export class IdleSweep {
  readonly #clock: Clock;
  readonly #containers: ReadonlySet<Container>;
  readonly #rules: IdleRules;
  #timer: Timer | undefined;

  /** @param containers of the version, alive or dying. */
  constructor(clock: Clock, containers: ReadonlySet<Container>, rules: IdleRules) {
    this.#clock = clock;
    this.#containers = containers;
    this.#rules = rules;
  }

  /** A container became idle: cheap while a sweep is due anyway. */
  wake(): void {
    this.#timer ??= this.#clock.after(this.#rules.keepAliveMs, () => this.#sweep());
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sweep(): void {
    this.#timer = undefined;
    const { keepAliveMs, keptMin } = this.#rules;
    const nowMs = this.#clock.nowMs();
    const alive = [...this.#containers].filter(({ state }) => state !== 'dead');
    const idle = alive.filter(({ state }) => state === 'idle').sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    let spare = alive.length - keptMin;
    for (const container of idle) {
      if (spare <= 0) return;
      const leftMs = container.idleSinceMs + keepAliveMs - nowMs;
      if (leftMs > 0) {
        this.#timer = this.#clock.after(leftMs, () => this.#sweep());
        return;
      }
      container.retire('reclaimed');
      spare -= 1;
    }
  }
}
