import type { AsyncPolicy } from '@hob/contracts';

/**
 * How long to wait before the next attempt, ms: anywhere below a bound that doubles with each attempt ("full jitter"), so that events
 * that failed together do not come back together.
 *
 * @param failures how many attempts have failed.
 * @param random from 0 to 1.
 */
export function backoffMs(policy: AsyncPolicy, failures: number, random: number): number {
  const boundMs = Math.min(policy.backoffMaxMs, policy.backoffMs * 2 ** (failures - 1));
  return Math.max(1, Math.round(boundMs * random));
}
