import assert from 'node:assert/strict';
import type { Run } from './effects.ts';

/** When a process was killed, by the wall clock: from before that until what it did was over, and it was started again if that takes somebody. */
export interface Kill {
  readonly kind: string;
  readonly struckMs: number;
  readonly overMs: number;
}

/**
 * Checks that what was to be run once was run again only when a kill fell between the beginnings of the two runs.
 *
 * @returns how often it was run again.
 */
export function assertDoubledByKills(what: string, runs: readonly Run[], kills: readonly Kill[]): number {
  const inOrder = runs.toSorted((a, b) => a.beganMs - b.beganMs);
  for (const [index, { beganMs }] of inOrder.slice(1).entries()) {
    const beforeMs = inOrder[index]?.beganMs ?? 0;
    const isCut = kills.some(({ struckMs, overMs }) => beforeMs <= overMs && struckMs <= beganMs);
    assert.ok(isCut, `${what} was run again without a kill: ${JSON.stringify({ inOrder, kills })}`);
  }
  return Math.max(0, runs.length - 1);
}
