/** Where the shim puts the frames that it sends. */
export interface FrameSink {
  /** Queues one encoded frame. It leaves together with the others of the same turn of the event loop. Never throws. */
  send(frame: Uint8Array): void;
  /** Bytes that the host has not taken yet: what leads to dropping output lines. */
  readonly pendingBytes: number;
}
