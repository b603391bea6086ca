import { Worker } from 'bullmq';

/** A worker of BullMQ that can be left, whatever it waits for: without its Redis, `close` does not come to an end. */
export class QueueWorker<Data, Result = void> extends Worker<Data, Result> {
  /** Ends what would keep the process alive. */
  abandon(): void {
    void this.lockManager.close();
  }
}
