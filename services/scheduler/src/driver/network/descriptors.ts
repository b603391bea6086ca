import { closeSync } from 'node:fs';

/** Descriptors that are closed together. */
export class Descriptors {
  readonly #open = new Set<number>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes over a descriptor, and gives it back for use. */
  keep(fd: number): number {
    this.#open.add(fd);
    return fd;
  }

  close(): void {
    this.#isClosed = true;
    for (const fd of this.#open) closeSync(fd);
    this.#open.clear();
  }
}
