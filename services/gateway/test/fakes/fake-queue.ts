import type { AsyncEvent, AsyncInvocations, HobError, InvocationRecord } from '@hob/contracts';

/** A queue that keeps what was submitted and says what the test told it. */
export class FakeQueue implements AsyncInvocations {
  bodyBytesMax = 1000;
  readonly events: AsyncEvent[] = [];
  readonly records = new Map<string, InvocationRecord>();
  readonly cancelledIds: string[] = [];
  /** Set: every question fails. */
  failure: HobError | undefined;

  submit(event: AsyncEvent): Promise<void> {
    this.events.push(event);
    return this.#answer(undefined);
  }

  read(id: string): Promise<InvocationRecord | undefined> {
    return this.#answer(this.records.get(id));
  }

  cancel(id: string): Promise<boolean> {
    this.cancelledIds.push(id);
    return this.#answer(this.records.has(id));
  }

  #answer<T>(value: T): Promise<T> {
    return this.failure === undefined ? Promise.resolve(value) : Promise.reject(this.failure);
  }
}
