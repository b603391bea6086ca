import type { Container } from './container.ts';
import { GreedyDual } from './keep-alive/index.ts';

/** Somebody who wants to start a container and found no room. */
export interface RoomWaiter {
  /** How many containers it has: who has fewer goes first. */
  readonly containerCount: number;
  /** Since when its oldest call waits, monotonic ms: then the longest wait. Infinity when none does. */
  readonly waitingSinceMs: number;
  /** There is room for one container: take it now, or leave it. */
  roomFreed(): void;
}

/** All containers of this host, from before they are forked until nothing of them is left, and the bound on their number. */
export class Fleet {
  /** Who goes first when room is needed. */
  readonly order = new GreedyDual();
  readonly #containersMax: number;
  readonly #containers = new Set<Container>();
  /** Those that were being forked when somebody looked last, and newer ones. */
  readonly #young = new Set<Container>();
  readonly #waiters = new Set<RoomWaiter>();
  /** Those that end after the calls that they have now, for somebody who waits. */
  readonly #yielding = new Set<Container>();

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

  /** How many are being forked. */
  get forking(): number {
    for (const container of this.#young) if (container.state !== 'creating') this.#young.delete(container);
    return this.#young.size;
  }

  [Symbol.iterator](): Iterator<Container> {
    return this.#containers.values();
  }

  /** Counts a container. Only when it `hasRoom`. */
  add(container: Container): void {
    this.#containers.add(container);
    this.#young.add(container);
    void container.gone.then(() => this.#remove(container));
  }

  /** Asks to be told of room, once. Idle containers make it, those that are worth least first. */
  waitForRoom(waiter: RoomWaiter): void {
    if (this.#waiters.has(waiter)) return;
    this.#waiters.add(waiter);
    this.makeRoom();
  }

  /** Ends idle containers for those who wait; to be called when one has become idle. */
  makeRoom(): void {
    if (!this.isCrowded) return;
    let missing = this.#missing();
    if (missing <= 0) return;
    for (; missing > 0; missing -= 1) {
      const container = this.order.evict(this.#spare('parked'));
      if (container === undefined) return;
      container.retire('reclaimed');
    }
  }

  /**
   * Whether somebody who waits is to have the room of a container whose owner has calls for it: who has fewer containers, and
   * either still will when it has one more, or has waited longer. The owner then retires it. Without this a function that
   * always has calls would keep all the containers that it ever got.
   */
  takesBack(container: Container, owner: RoomWaiter): boolean {
    const waiter = this.#neediest();
    if (waiter === undefined || waiter === owner) return false;
    const ahead = owner.containerCount - waiter.containerCount;
    const isOwed = ahead > 1 || (ahead === 1 && waiter.waitingSinceMs < owner.waitingSinceMs);
    if (!isOwed || this.#missing() <= 0) return false;
    this.#yielding.add(container);
    return true;
  }

  /** What idle containers take that may be ended, parked ones not counted, bytes. */
  get idleBytes(): number {
    let bytes = 0;
    for (const { meter } of this.#spare()) bytes += meter.peakBytes;
    return bytes;
  }

  /** Ends idle containers that take so much together, none that is parked. */
  relieve(bytes: number): void {
    let container: Container | undefined;
    for (let leftBytes = bytes; leftBytes > 0; leftBytes -= container.meter.peakBytes) {
      container = this.order.evict(this.#spare());
      if (container === undefined) return;
      container.retire('reclaimed');
    }
  }

  forget(waiter: RoomWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Resolved when nothing is left of the containers that exist now. */
  async gone(): Promise<void> {
    await Promise.all([...this.#containers].map((container) => container.gone));
  }

  /** How many containers are still to be ended for those who wait. */
  #missing(): number {
    let leaving = 0;
    for (const container of this.#containers) {
      if (container.state === 'dead' || this.#yielding.has(container)) leaving += 1;
    }
    return this.#waiters.size - leaving;
  }

  /** Those that may be ended. @param other a state in which they may be, beside idle and frozen. */
  *#spare(other?: 'parked'): Generator<Container> {
    for (const container of this.#containers) {
      const { state } = container;
      if ((state === 'idle' || state === 'frozen' || state === other) && container.isSpare) yield container;
    }
  }

  #neediest(): RoomWaiter | undefined {
    let neediest: RoomWaiter | undefined;
    for (const waiter of this.#waiters) {
      if (neediest === undefined || isNeedier(waiter, neediest)) neediest = waiter;
    }
    return neediest;
  }

  #remove(container: Container): void {
    this.#containers.delete(container);
    this.#young.delete(container);
    this.#yielding.delete(container);
    while (this.hasRoom) {
      const waiter = this.#neediest();
      if (waiter === undefined) return;
      this.#waiters.delete(waiter);
      waiter.roomFreed();
    }
    this.makeRoom();
  }
}

/** Whether what there is goes to `a` rather than to `b`. */
export function isNeedier(a: RoomWaiter, b: RoomWaiter): boolean {
  if (a.containerCount !== b.containerCount) return a.containerCount < b.containerCount;
  return a.waitingSinceMs < b.waitingSinceMs;
}
