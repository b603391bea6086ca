import { isNeedier, type RoomWaiter } from './fleet.ts';

/**
 * Bounds how many containers of one kind are forked for calls at the same time: of two forks that share the processors both come
 * late, and what comes early can serve the calls that the other one was meant for. Who has the fewest containers forks next.
 */
export class ForkGate {
  readonly #parallel: number;
  readonly #waiters = new Set<RoomWaiter>();
  #forking = 0;

  constructor(parallel: number) {
    this.#parallel = parallel;
  }

  get isOpen(): boolean {
    return this.#forking < this.#parallel;
  }

  /** Asks to be told, once, when it is open. */
  wait(waiter: RoomWaiter): void {
    this.#waiters.add(waiter);
  }

  forget(waiter: RoomWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Counts a fork until it has come to its end, however it ends. Whoever waits for calls looks whether the gate is open first. */
  async pass(fork: () => Promise<void>): Promise<void> {
    this.#forking += 1;
    try {
      await fork();
    } finally {
      this.#forking -= 1;
      this.#admit();
    }
  }

  #admit(): void {
    while (this.isOpen && this.#waiters.size > 0) {
      const waiter = [...this.#waiters].reduce((least, each) => (isNeedier(each, least) ? each : least));
      this.#waiters.delete(waiter);
      waiter.roomFreed();
    }
  }
}
