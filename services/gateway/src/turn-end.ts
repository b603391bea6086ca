/** Something that waits for the end of a turn: of what the event loop has called, with the bytes of one container for example. */
export interface Deferred {
  /** Called once, after all that these bytes have to say. Must not throw. */
  turnEnded(): void;
}

/** Calls many objects back at the end of a turn, for the price of one tick. */
export class TurnEnd {
  #waiting: Deferred[] = [];

  defer(deferred: Deferred): void {
    if (this.#waiting.push(deferred) === 1) process.nextTick(() => this.#run());
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const deferred of waiting) deferred.turnEnded();
  }
}
