import type { CallAccount, Outcome } from '@hob/contracts';

/** Hundredths of a millisecond are the finest that a client can make use of. */
export const hundredths = (ms: number): number => Math.round(ms * 100) / 100;

/** A decimal of RFC 9651 has a point: 3 is `3.0`. */
function decimal(ms: number): string {
  const rounded = hundredths(ms);
  return Number.isInteger(rounded) ? `${rounded}.0` : `${rounded}`;
}

/**
 * What is known of a call when its response begins, as the value of `hob-receipt`: a dictionary of RFC 9651. Times are decimals
 * of milliseconds, counts are integers.
 *
 * @param bytesOut of the body, as far as it is known.
 * @param outcome undefined while the response is not complete.
 */
export function receiptHeader(account: CallAccount, bytesOut: number, outcome: Outcome | undefined): string {
  const { start, queueMs, createMs, thawMs, loadMs, cause } = account;
  const before =
    createMs === 0 && thawMs === 0 && loadMs === 0
      ? ', create-ms=0.0, thaw-ms=0.0, load-ms=0.0'
      : `, create-ms=${decimal(createMs)}, thaw-ms=${decimal(thawMs)}, load-ms=${decimal(loadMs)}`;
  return (
    `start=${start}, queue-ms=${decimal(queueMs)}${before}, run-ms=${decimal(account.runMs)}, ` +
    `cpu-ms=${decimal(account.cpuMs)}, container-age-ms=${decimal(account.containerAgeMs)}, ` +
    `memory-peak-bytes=${account.memoryPeakBytes}, bytes-in=${account.bytesIn}, bytes-out=${bytesOut}` +
    `${outcome === undefined ? '' : `, outcome=${outcome}`}${cause === undefined ? '' : `, cause=${cause}`}`
  );
}
