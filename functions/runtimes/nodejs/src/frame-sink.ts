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
  /** So few bytes wait that a body may be added. Each would be there twice else, and all bodies of a busy container at the same time. */
  readonly hasRoom: boolean;
  /** Calls back once it `hasRoom`, those first who wait for longest. */
  whenRoom(then: () => void): void;
}
