import type { Duplex } from 'node:stream';
import {
  encodeChunks,
  encodeFrame,
  encodeJson,
  type Frame,
  FrameType,
  type FunctionRecord,
  type HobError,
} from '@hob/contracts';
import { FrameConnection, type FrameListener } from './frame-connection.ts';
import { WorkerCalls, type WorkerCallsOptions } from './worker-calls.ts';
import { violation, type WorkerSetup } from './worker-messages.ts';

const SYNCS_MAX = 0xffff_ffff;

/** The server's end of the connection to one gateway worker, which it owns. */
export class WorkerLink implements FrameListener {
  /** Resolved when the worker is gone; with an error when it was cut off because it broke the protocol. */
  readonly gone: Promise<HobError | undefined>;
  readonly #gone = Promise.withResolvers<HobError | undefined>();
  readonly #connection: FrameConnection;
  readonly #calls: WorkerCalls;
  /** By their numbers: those who wait until the worker has taken what was sent. */
  readonly #waiting = new Map<number, () => void>();
  #lastSync = 0;

  constructor(stream: Duplex, options: WorkerCallsOptions) {
    this.gone = this.#gone.promise;
    this.#connection = new FrameConnection(stream, this);
    this.#calls = new WorkerCalls(this.#connection, options);
  }

  /** How many calls it has. */
  get calls(): number {
    return this.#calls.size;
  }

  /** Says what the worker serves with; to be called once, before all else. */
  setUp(setup: WorkerSetup): void {
    this.#connection.send(encodeJson(FrameType.SETUP, 0, setup));
  }

  /** Tells what is known of a function now. */
  tell(record: FunctionRecord): void {
    const json = Buffer.from(JSON.stringify(record));
    for (const frame of encodeChunks(FrameType.FUNCTION, 0, json)) this.#connection.send(frame);
  }

  /** Resolved when the worker has taken all that was sent before: the first time, when it listens. Also when it is gone. */
  async sync(): Promise<void> {
    this.#lastSync = (this.#lastSync % SYNCS_MAX) + 1;
    const serial = this.#lastSync;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(serial, resolve);
    this.#connection.send(encodeFrame(FrameType.SYNC, serial));
    await Promise.race([promise, this.#gone.promise]);
    this.#waiting.delete(serial);
  }

  /** Has the worker end with its last request. */
  drain(): void {
    this.#connection.send(encodeFrame(FrameType.DRAIN, 0));
  }

  /** Cuts the worker off. */
  destroy(): void {
    this.#connection.destroy();
  }

  frame(frame: Frame): void {
    if (frame.type !== FrameType.SYNC) {
      this.#calls.take(frame);
      return;
    }
    const answered = this.#waiting.get(frame.stream);
    if (answered === undefined) throw violation(frame, 'nobody asked');
    answered();
  }

  drained(): void {
    this.#calls.drain();
  }

  closed(error: HobError | undefined): void {
    this.#calls.lost();
    this.#gone.resolve(error);
  }
}
