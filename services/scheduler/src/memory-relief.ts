import type { MemoryObservation } from './pool-target.ts';

/** Part of the memory kept from parked containers that is to stay available: below it idle ones go, too. */
const RESERVE = 0.5;
/** The part of the idle containers' memory that is given back at a time under pressure: it takes seconds to fall. */
const STEP = 0.25;

/**
 * How much of the memory of idle containers is to be given back, bytes. Nothing while there is enough: how much is in use is no
 * harm in itself.
 *
 * @param idleBytes what they take together.
 */
export function reliefBytes(memory: MemoryObservation, idleBytes: number): number {
  const { totalBytes, availableBytes, sharePercent, pressurePercent = 0, pressurePercentMax } = memory;
  const reserveBytes = ((totalBytes * (100 - sharePercent)) / 100) * RESERVE;
  const pressedBytes = pressurePercent >= pressurePercentMax ? idleBytes * STEP : 0;
  return Math.min(Math.max(reserveBytes - availableBytes, pressedBytes, 0), idleBytes);
}
