/** Something that waits for the end of the event loop's turn. */
export interface Deferred {
  /** Called once, after all I/O of the turn. Must not throw. */
  turnEnded(): void;
}

/** Calls many objects back at the end of the event loop's turn, for the price of one immediate. */
export class TurnEnd {
  #waiting: Deferred[] = [];

  defer(deferred: Deferred): void {
    if (this.#waiting.push(deferred) === 1) setImmediate(() => this.#run());
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const deferred of waiting) deferred.turnEnded();
  }
}
