import type { CallAccount, Outcome } from '@hob/contracts';

/** `.0`, `.01`, …, `.1`, …, `.99`. */
const fractions = Array.from({ length: 100 }, (_, at) => `.${at % 10 === 0 ? at / 10 : String(at).padStart(2, '0')}`);

/**
 * A decimal as RFC 9651 has it, with a point: 3 is `3.0`. Hundredths of a millisecond are the finest that a client can make use of.
 * Each call has a dozen of them, and integers are written much faster than fractions.
 */
export function decimal(ms: number): string {
  const hundredths = Math.round(Math.abs(ms) * 100);
  const whole = Math.floor(hundredths / 100);
  return `${ms < 0 && hundredths > 0 ? '-' : ''}${whole}${fractions[hundredths - 100 * whole]}`;
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
