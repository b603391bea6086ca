/** How many requests are being served, by this process and by its gateway workers. */
export class RequestCount {
  /** The most that may be served at the same time. */
  readonly max: number;
  #now = 0;
  /** Set while somebody waits for the last request. */
  #onIdle: (() => void) | undefined;

  constructor(max: number) {
    this.max = max;
  }

  get now(): number {
    return this.#now;
  }

  get isFull(): boolean {
    return this.#now >= this.max;
  }

  enter(): void {
    this.#now += 1;
  }

  leave(): void {
    this.#now -= 1;
    if (this.#now === 0) this.#onIdle?.();
  }

  /** Resolved when none is left, or the time is over. */
  async idle(withinMs: number): Promise<void> {
    if (this.#now === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    this.#onIdle = () => {
      clearTimeout(timer);
      resolve();
    };
    await promise;
  }
}
