import type { Clock, Timer } from './clock.ts';
import type { Fleet } from './fleet.ts';

/** How long a container may go on after the kernel refused it a process or killed one of its, ms. */
const SWEEP_MS = 100;

/**
 * Ends containers that have run into a limit and go on all the same: the kernel refuses a fork, or kills a child process for
 * memory, and the first process lives. Not every kernel tells of it (cgroup v1 has no notification of refused forks), so it is
 * asked: now and then, and only for containers that were used since it was asked last.
 */
export class LimitSweep {
  readonly #clock: Clock;
  readonly #fleet: Fleet;
  #timer: Timer | undefined;
  #lastMs = 0;

  constructor(clock: Clock, fleet: Fleet) {
    this.#clock = clock;
    this.#fleet = fleet;
  }

  /** To be called when a container is used: cheap while the next sweep is due anyway. */
  wake(): void {
    this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sweep(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    for (const container of [...this.#fleet]) {
      const { state } = container;
      const isUsed = state === 'busy' || state === 'loading';
      if (isUsed) this.wake();
      if (isUsed || (state === 'idle' && container.idleSinceMs >= this.#lastMs)) container.endIfBreached();
    }
    this.#lastMs = nowMs;
  }
}
