import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';
import { type Death, quietCauses } from './death.ts';

/** How long to wait after there was no room, or a container died that was not to, ms. */
const PAUSE_MS = 1000;
/** How long to wait after the function ended a container that it had served no call in: it will do so again, ms. */
const FAILURE_PAUSE_MS = 20_000;

/** Whose containers a `WarmFloor` keeps loaded. */
export interface WarmHost {
  /** How many containers are missing at this moment. */
  missing(): number;
  /** Starts one. @returns false when it could not. */
  start(): boolean;
}

/** Keeps some of a version's containers loaded, whether calls come or not. */
export class WarmFloor {
  readonly #clock: Clock;
  readonly #host: WarmHost;
  #timer: Timer | undefined;

  constructor(clock: Clock, host: WarmHost) {
    this.#clock = clock;
    this.#host = host;
  }

  /** Starts what is missing, now; the rest when there is room. */
  fill(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (let missing = this.#host.missing(); missing > 0; missing -= 1) {
      if (this.#host.start()) continue;
      this.#fillIn(PAUSE_MS);
      return;
    }
  }

  /** Nothing is left of one of the containers. */
  lost(container: Container, { cause, error }: Death): void {
    if (this.#host.missing() <= 0) return;
    if (quietCauses.has(cause)) this.#fillIn(0);
    else this.#fillIn(container.callsBegun === 0 && error.spec.kind === 'function' ? FAILURE_PAUSE_MS : PAUSE_MS);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fillIn(delayMs: number): void {
    this.#timer ??= this.#clock.after(delayMs, () => this.fill());
  }
}
