import type { Clock, Timer } from './clock.ts';

/** The kernel gives a container its share of CPU time in periods of this length, ms. */
const PERIOD_MS = 100;
/** How often the account is read when the budget is nearly used up, ms: by so much it may be overdrawn on each core. */
const PAUSE_MIN_MS = 4;

/** What a budget is watched with. */
export interface BudgetParts {
  readonly clock: Clock;
  /** CPU bandwidth of the container, cores. */
  readonly cpu: number;
  /** Cores of the host. */
  readonly hostCores: number;
  /** CPU time that the kernel has counted so far, ms. */
  readonly read: () => number;
  /** The budget is used up. Called once. */
  readonly spent: () => void;
}

/**
 * The earliest time, from now on, at which `cpuMs` can be used up, ms: by all cores at once within the share of one period, and
 * by the container's bandwidth beyond that.
 */
export function earliestMs(cpuMs: number, { cpu, hostCores }: Pick<BudgetParts, 'cpu' | 'hostCores'>): number {
  return Math.max(cpuMs / hostCores, cpuMs / cpu - PERIOD_MS);
}

/**
 * Watches that a call uses no more CPU time than it may. The account is read when the rest of the budget could be used up at
 * the earliest, and then again for what is still left: a call that waits costs next to nothing.
 */
export class CpuBudget {
  readonly #parts: BudgetParts;
  readonly #endCpuMs: number;
  #timer: Timer | undefined;

  /** Starts at once. */
  constructor(budgetMs: number, parts: BudgetParts) {
    this.#parts = parts;
    this.#endCpuMs = parts.read() + budgetMs;
    this.#watch(budgetMs);
  }

  /** Ends the watch. Idempotent. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(leftMs: number): void {
    this.#timer = this.#parts.clock.after(Math.max(PAUSE_MIN_MS, earliestMs(leftMs, this.#parts)), () => {
      this.#timer = undefined;
      const stillLeftMs = this.#endCpuMs - this.#parts.read();
      if (stillLeftMs <= 0) this.#parts.spent();
      else this.#watch(stillLeftMs);
    });
  }
}
