import type { Socket } from 'node:net';

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
