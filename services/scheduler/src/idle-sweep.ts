import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';

/** What becomes of idle containers. */
export interface IdleRules {
  /** How long an idle container runs on before it is frozen, ms. */
  readonly freezeAfterMs: number;
  /** When containers are looked at for the first time, from their last call on, ms: no sooner are they ended. */
  readonly lookAfterMs: number;
  /** How long a container is kept from its last call on, ms; 0 when it may go now. @param isLast there is no other one. */
  keepAliveMs(container: Container, isLast: boolean): number;
  /** How many containers are kept however long they are idle. */
  keptMin(): number;
}

/**
 * Freezes containers of one version that are idle, and ends those that were for too long, the one that was used longest ago
 * first.
 *
 * It looks when the next one may be due, not at each call: a container that is called again and again costs it nothing.
 */
export class IdleSweep {
  readonly #clock: Clock;
  readonly #containers: ReadonlySet<Container>;
  readonly #rules: IdleRules;
  #timer: Timer | undefined;
  #dueMs = 0;

  /** @param containers of the version, alive or dying. */
  constructor(clock: Clock, containers: ReadonlySet<Container>, rules: IdleRules) {
    this.#clock = clock;
    this.#containers = containers;
    this.#rules = rules;
  }

  /** A container became idle: cheap while a sweep is due anyway. */
  wake(): void {
    const delayMs = this.#rules.lookAfterMs;
    if (this.#timer === undefined || this.#clock.nowMs() + delayMs < this.#dueMs) this.#sweepIn(delayMs);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sweepIn(delayMs: number): void {
    this.#timer?.cancel();
    if (delayMs === Infinity) return;
    this.#dueMs = this.#clock.nowMs() + delayMs;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const { freezeAfterMs } = this.#rules;
    const nowMs = this.#clock.nowMs();
    const alive = [...this.#containers].filter(({ state }) => state !== 'dead');
    const idle = alive.filter(({ state }) => state === 'idle' || state === 'frozen');
    idle.sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    const keptMin = this.#rules.keptMin();
    let left = alive.length;
    let nextMs = Infinity;
    for (const container of idle) {
      const idleMs = nowMs - container.idleSinceMs;
      const keepAliveMs = this.#rules.keepAliveMs(container, left === 1);
      if (left > keptMin && idleMs >= keepAliveMs) {
        container.retire('reclaimed');
        left -= 1;
        continue;
      }
      if (left > keptMin) nextMs = Math.min(nextMs, keepAliveMs - idleMs);
      if (container.state === 'frozen') continue;
      if (idleMs >= freezeAfterMs) container.freeze();
      else nextMs = Math.min(nextMs, freezeAfterMs - idleMs);
    }
    this.#sweepIn(nextMs);
  }
}
