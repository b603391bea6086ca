import { randomBytes } from 'node:crypto';
import { SECRET_KEY_BYTES, type SecretKeySource } from '../../src/index.ts';

/** Keys of the secrets in memory: what is on the disk while a store comes and goes. */
export class MemoryKeys implements SecretKeySource {
  readonly name = 'a test';
  keys: readonly Buffer[];
  former: Buffer | undefined;
  #next: Buffer | undefined;

  constructor(...keys: readonly Buffer[]) {
    this.keys = keys;
  }

  next(): Promise<Buffer> {
    this.#next ??= randomBytes(SECRET_KEY_BYTES);
    if (!this.keys.includes(this.#next)) this.keys = [...this.keys, this.#next];
    return Promise.resolve(this.#next);
  }

  use(key: Buffer): Promise<void> {
    if (this.#next?.equals(key) === true) this.#next = undefined;
    this.keys = [key, ...this.keys.filter((each) => !each.equals(key))];
    return Promise.resolve();
  }

  forget(): Promise<void> {
    this.keys = this.keys.slice(0, 1);
    return Promise.resolve();
  }
}
