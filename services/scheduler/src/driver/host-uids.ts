import { fail } from '@hob/contracts';

/** Lends each container a uid of its own on the host, from a range; the one given back longest ago goes first. */
export class HostUids {
  readonly #first: number;
  readonly #count: number;
  readonly #lent = new Set<number>();
  #next = 0;

  constructor(first: number, count: number) {
    this.#first = first;
    this.#count = count;
  }

  /** @throws ERR_SCHED_START_FAILED when all are lent. */
  take(): number {
    for (let tries = 0; tries < this.#count; tries++) {
      const uid = this.#first + this.#next;
      this.#next = (this.#next + 1) % this.#count;
      if (this.#lent.has(uid)) continue;
      this.#lent.add(uid);
      return uid;
    }
    throw fail('ERR_SCHED_START_FAILED', [`all ${this.#count} uids for containers are in use`]);
  }

  giveBack(uid: number): void {
    this.#lent.delete(uid);
  }
}
