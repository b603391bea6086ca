import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';
import { CPU_WEIGHT_USUAL } from './driver/cgroup-knobs.ts';
import type { Fleet } from './fleet.ts';

/** How long a container may go on after the kernel refused it a process or killed one of its, ms. */
const SWEEP_MS = 100;
/** CPU time within one sweep that makes a call a long one, ms. */
const LONG_CPU_MS = 50;
/** The weight of a container whose call is long. */
const LONG_CPU_WEIGHT = 10;

/** How a container looked at the last sweep. */
interface Sight {
  readonly callsBegun: number;
  readonly cpuMs: number;
  readonly isLong: boolean;
}

/**
 * Looks now and then at the containers that were used since it looked last.
 *
 * It ends those that have run into a limit and go on all the same: the kernel refuses a fork, or kills a child process for
 * memory, and the first process lives. Not every kernel tells of it (cgroup v1 has no notification of refused forks), so it
 * is asked.
 *
 * And it lets short calls go before long ones: a container that has done nothing but the same calls for a whole sweep, and
 * has computed for half of it, gets a smaller part of the CPU time until another call of its begins or none is left. That
 * matters only while there is not enough CPU time for all.
 */
export class LimitSweep {
  readonly #clock: Clock;
  readonly #fleet: Fleet;
  readonly #sights = new WeakMap<Container, Sight>();
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
      if (!isUsed && (state !== 'idle' || container.idleSinceMs < this.#lastMs)) continue;
      if (!container.endIfBreached()) this.#weigh(container);
    }
    this.#lastMs = nowMs;
  }

  #weigh(container: Container): void {
    const { callsBegun, state } = container;
    const before = this.#sights.get(container);
    const cpuMs = container.meter.readCpu();
    const isSameWork = state === 'busy' && before?.callsBegun === callsBegun;
    const isLong = isSameWork && (before.isLong || cpuMs - before.cpuMs >= LONG_CPU_MS);
    if (isLong !== (before?.isLong ?? false)) container.weigh(isLong ? LONG_CPU_WEIGHT : CPU_WEIGHT_USUAL);
    this.#sights.set(container, { callsBegun, cpuMs, isLong });
  }
}
