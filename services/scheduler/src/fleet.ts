import type { Container } from './container.ts';

/** Somebody who wants to start a container and found no room. */
export interface RoomWaiter {
  /** There is room for one container: take it now, or leave it. */
  roomFreed(): void;
}

/** All containers of this host, from before they are forked until nothing of them is left, and the bound on their number. */
export class Fleet {
  readonly #containersMax: number;
  readonly #containers = new Set<Container>();
  readonly #waiters = new Set<RoomWaiter>();

  constructor(containersMax: number) {
    this.#containersMax = containersMax;
  }

  get hasRoom(): boolean {
    return this.#containers.size < this.#containersMax;
  }

  /** Somebody waits for room: nothing is to be started in advance. */
  get isCrowded(): boolean {
    return this.#waiters.size > 0;
  }

  [Symbol.iterator](): Iterator<Container> {
    return this.#containers.values();
  }

  /** Counts a container. Only when it `hasRoom`. */
  add(container: Container): void {
    this.#containers.add(container);
    void container.gone.then(() => this.#remove(container));
  }

  /** Asks to be told of room, once. Idle containers make it, the one that was used longest ago first. */
  waitForRoom(waiter: RoomWaiter): void {
    this.#waiters.add(waiter);
    this.makeRoom();
  }

  /** Ends idle containers for those who wait; to be called when one has become idle while it `isCrowded`. */
  makeRoom(): void {
    const all = [...this.#containers];
    const dying = all.filter((container) => container.state === 'dead').length;
    const idle = all
      .filter((container) => ['idle', 'frozen', 'parked'].includes(container.state))
      .sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    for (const container of idle.slice(0, Math.max(0, this.#waiters.size - dying))) container.retire('reclaimed');
  }

  forget(waiter: RoomWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Resolved when nothing is left of the containers that exist now. */
  async gone(): Promise<void> {
    await Promise.all([...this.#containers].map((container) => container.gone));
  }

  #remove(container: Container): void {
    this.#containers.delete(container);
    while (this.hasRoom && this.#waiters.size > 0) {
      const [first] = this.#waiters;
      if (first === undefined) return;
      this.#waiters.delete(first);
      first.roomFreed();
    }
    if (this.isCrowded) this.makeRoom();
  }
}
