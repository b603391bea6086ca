import type { PreloadOutcome } from '@hob/contracts';
import type { Clock, Timer } from './clock.ts';
import type { Container } from './container.ts';
import { type Death, quietCauses } from './death.ts';

/** What a `Preloader` is made of. */
export interface PreloaderParts {
  readonly clock: Clock;
  /** Starts a container, unless none is wanted any more or there is no room. */
  start(): Container | undefined;
  /** It is known what a container was good for. */
  told(outcome: PreloadOutcome): void;
}

/** Has one container of a version loaded at a time, before the call that is expected then. It tries once. */
export class Preloader {
  readonly #parts: PreloaderParts;
  #timer: Timer | undefined;
  /** Until its first call is over. */
  #container: Container | undefined;

  constructor(parts: PreloaderParts) {
    this.#parts = parts;
  }

  /** One is to be loaded. */
  get isPlanned(): boolean {
    return this.#timer !== undefined;
  }

  /** One was started, and no call has come to it yet. */
  get isWaiting(): boolean {
    return this.#container?.callsBegun === 0;
  }

  /** @param delayMs until when, in place of any other time. */
  plan(delayMs: number): void {
    this.cancel();
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#container = this.#parts.start();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Whether it is one that was loaded in advance and has had no call. */
  isUnasked(container: Container): boolean {
    return container === this.#container && this.isWaiting;
  }

  /** A container of the version is idle. */
  becameIdle(container: Container): void {
    if (container === this.#container && !this.isWaiting) this.#tell('useful');
  }

  /** Nothing is left of a container of the version. */
  lost(container: Container, { cause }: Death): void {
    if (container !== this.#container) return;
    if (!this.isWaiting) this.#tell('useful');
    else this.#tell(container.wasLoaded || quietCauses.has(cause) ? 'wasted' : 'failed');
  }

  #tell(outcome: PreloadOutcome): void {
    this.#container = undefined;
    this.#parts.told(outcome);
  }
}
