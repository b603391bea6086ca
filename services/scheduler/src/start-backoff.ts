import type { ErrorCode } from '@hob/contracts';
import type { Death } from './death.ts';

/** What `StartBackoff` is configured with. */
export interface BackoffLimits {
  readonly startFailuresMax: number;
  readonly startBackoffMs: number;
  readonly startBackoffMaxMs: number;
}

/** What code does at its start, it is likely to do again: these tell that module initialisation failed. So is what has damaged a bundle. */
const certain: ReadonlySet<ErrorCode> = new Set([
  'ERR_FN_LOAD_FAILED',
  'ERR_FN_EXITED',
  'ERR_FN_THREW',
  'ERR_BUNDLE_DAMAGED',
]);

/**
 * Keeps a version, or a pool, that cannot be started from being started over and over.
 *
 * A failure that is not certain to come again gets one more try at once: a zygote may just have died, or a first call
 * may have ended the container before it could say that it was loaded.
 */
export class StartBackoff {
  readonly #limits: BackoffLimits;
  #failures = 0;
  #untilMs = 0;
  #death: Death | undefined;

  constructor(limits: BackoffLimits) {
    this.#limits = limits;
  }

  failed(death: Death, nowMs: number): void {
    const { startBackoffMs, startBackoffMaxMs } = this.#limits;
    const delayMs = Math.min(startBackoffMs * 2 ** Math.min(this.#failures, 30), startBackoffMaxMs);
    const isRetried = this.#failures === 0 && !isCertain(death);
    this.#untilMs = isRetried ? nowMs : nowMs + delayMs;
    this.#failures += 1;
    this.#death = death;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#untilMs = 0;
    this.#death = undefined;
  }

  /** No start has succeeded since the last failure. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /** How long no start may be tried, ms; 0 when one may. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }

  /** The failure that calls share which would need a start now: a certain one, or the last of several in a row. */
  shared(nowMs: number): Death | undefined {
    if (this.#death === undefined || this.waitMs(nowMs) === 0) return undefined;
    return isCertain(this.#death) || this.#failures >= this.#limits.startFailuresMax ? this.#death : undefined;
  }
}

/** Whether another start would most likely fail in the same way. */
export function isCertain({ error }: Death): boolean {
  return certain.has(error.code);
}
