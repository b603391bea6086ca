import type { FrameParts } from '@hob/contracts/frames';

/** Where the shim puts the frames that it sends. */
export interface FrameSink {
  /**
   * Queues one frame, of whose payload it keeps nothing. It leaves together with the others of the same turn of the event loop.
   *
   * @throws ERR_FRAME_TOO_LARGE, and nothing else.
   */
  send(frame: FrameParts): void;
  /** Bytes that the host has not taken yet: what leads to dropping output lines. */
  readonly pendingBytes: number;
  /** So little of bodies waits that another one may be added: each is there twice, as long as it does. */
  readonly hasRoom: boolean;
  /** Calls back once it `hasRoom`, those first who wait for longest. */
  whenRoom(then: () => void): void;
}
