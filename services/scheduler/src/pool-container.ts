import { Container } from './container.ts';

/** A container that a pool has made. A call may take it over while it is being forked, and awaits the same fork then. */
export class PoolContainer extends Container {
  #created: Promise<void> | undefined;

  override create(): Promise<void> {
    return (this.#created ??= super.create());
  }
}
