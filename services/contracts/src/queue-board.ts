/** Where the board is; its pages are below. */
export const BOARD_PATH = '/v1/board';

/** A page, a file, or data of the board. */
export interface BoardAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Pages for an operator's browser that show the queues. They change nothing, and have nothing of what functions are sent and answer. */
export interface QueueBoard {
  /**
   * @param path with its query, from the slash behind BOARD_PATH on.
   * @returns undefined when nothing is there.
   * @throws ERR_QUEUE_UNAVAILABLE
   */
  read(path: string): Promise<BoardAnswer | undefined>;
}
