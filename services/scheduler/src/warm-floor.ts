import type { FunctionConfig } from '@hob/contracts';
import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';
import { type Death, quietCauses } from './death.ts';

/** How long to wait after there was no room, or a container died that was not to, ms. */
const PAUSE_MS = 1000;
/** How long to wait after the function ended a container that it had served no call in: it will do so again, ms. */
const FAILURE_PAUSE_MS = 20_000;

/** What a `WarmFloor` is made of. */
export interface WarmFloorParts {
  readonly clock: Clock;
  readonly config: FunctionConfig;
  /** Of the version, dying ones included. */
  readonly containers: ReadonlySet<Container>;
  /** Starts one. @returns false when it could not. */
  start(): boolean;
}

/** Keeps `minWarm` containers of a version loaded while it is the live one, whether calls come or not. */
export class WarmFloor {
  readonly #parts: WarmFloorParts;
  #isHeld = false;
  #timer: Timer | undefined;

  constructor(parts: WarmFloorParts) {
    this.#parts = parts;
  }

  /** How many containers are kept at this moment. */
  get min(): number {
    return this.#isHeld ? (this.#parts.config.minWarm ?? 0) : 0;
  }

  /** There are more containers than are kept. */
  get canSpare(): boolean {
    return this.min === 0 || this.#countAlive() > this.min;
  }

  /** Starts what is missing, now; the rest when there is room. */
  hold(): void {
    this.#isHeld = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (let missing = this.#missing(); missing > 0; missing -= 1) {
      if (this.#parts.start()) continue;
      this.#holdIn(PAUSE_MS);
      return;
    }
  }

  /** Keeps no container any more. */
  drop(): void {
    this.#isHeld = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Nothing is left of one of the containers. */
  lost(container: Container, { cause, error }: Death): void {
    if (this.#missing() <= 0) return;
    if (quietCauses.has(cause)) this.#holdIn(0);
    else this.#holdIn(container.callsBegun === 0 && error.spec.kind === 'function' ? FAILURE_PAUSE_MS : PAUSE_MS);
  }

  #missing(): number {
    if (this.min === 0) return 0;
    const { config, containers } = this.#parts;
    return Math.min(this.min - this.#countAlive(), config.maxContainers - containers.size);
  }

  #countAlive(): number {
    let alive = 0;
    for (const { state } of this.#parts.containers) if (state !== 'dead') alive += 1;
    return alive;
  }

  #holdIn(delayMs: number): void {
    this.#timer ??= this.#parts.clock.after(delayMs, () => this.hold());
  }
}
