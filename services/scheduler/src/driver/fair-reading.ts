import type { OnReadOpts, Socket } from 'node:net';

/** What is read from a descriptor at once, bytes: a piece of this size says that more waits behind it. */
const PIECE_BYTES = 64 * 1024;

/**
 * Has a socket or pipe give one full piece in each turn of the event loop. Otherwise whoever writes as fast as it is read holds
 * the loop for dozens of pieces, and everybody else waits.
 */
export function readFairly(socket: Socket): void {
  const goOn = (): void => void socket.resume();
  socket.on('data', (piece: Buffer) => {
    if (piece.byteLength < PIECE_BYTES) return;
    socket.pause();
    setImmediate(goOn);
  });
}

/** More than a socket of a container's ever holds, unless its function has made it hold more. */
const SHARED = Buffer.allocUnsafeSlow(512 * 1024);

/**
 * Reads like that, into memory that all containers share: to get new memory for each piece is most of what a large body costs.
 * What is read at once rarely fills it, and only a full piece makes libuv read again in the same turn.
 *
 * @param take gets each piece, which the next one overwrites.
 * @param resume has the socket read on.
 */
export function readInto(take: (piece: Uint8Array) => void, resume: () => void): OnReadOpts {
  return {
    buffer: SHARED,
    callback(bytes, buffer) {
      take(buffer.subarray(0, bytes));
      if (bytes < buffer.byteLength) return true;
      setImmediate(resume);
      return false;
    },
  };
}
