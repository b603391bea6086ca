import type { Receipt } from '@hob/contracts';

/** Receipts of the calls that somebody waits for; they come after the end of the answer, when all work of the call is over. */
export class Receipts {
  readonly #waiting = new Map<string, (receipt: Receipt) => void>();

  /** To be called for every call that has ended. */
  invocationEnded(receipt: Receipt): void {
    this.#waiting.get(receipt.invocationId)?.(receipt);
  }

  /** Resolved with the receipt of a call; to be called before it begins. */
  of(invocationId: string): Promise<Receipt> {
    const { promise, resolve } = Promise.withResolvers<Receipt>();
    this.#waiting.set(invocationId, resolve);
    return promise.finally(() => {
      if (this.#waiting.get(invocationId) === resolve) this.#waiting.delete(invocationId);
    });
  }
}
