import type { CallAccount, Outcome } from '@hob/contracts';

/**
 * What is known of a call when its response begins, as the value of `hob-receipt`: a dictionary of RFC 9651. Times are decimals
 * of milliseconds, counts are integers.
 *
 * @param outcome undefined while the response is not complete.
 */
export function receiptHeader(account: CallAccount, outcome: Outcome | undefined): string {
  const { start, queueMs, createMs, loadMs, runMs, cpuMs, memoryPeakBytes, containerAgeMs } = account;
  const times =
    `start=${start}, queue-ms=${decimal(queueMs)}, create-ms=${decimal(createMs)}, load-ms=${decimal(loadMs)}, ` +
    `run-ms=${decimal(runMs)}, cpu-ms=${decimal(cpuMs)}, container-age-ms=${decimal(containerAgeMs)}`;
  const { bytesIn, bytesOut, cause } = account;
  const counts = `, memory-peak-bytes=${memoryPeakBytes}, bytes-in=${bytesIn}, bytes-out=${bytesOut}`;
  const end = outcome === undefined ? '' : `, outcome=${outcome}`;
  return times + counts + end + (cause === undefined ? '' : `, cause=${cause}`);
}

/** Hundredths of a millisecond are the finest that a client can make use of. A decimal has a point: 3 is `3.0`. */
function decimal(ms: number): string {
  const rounded = Math.round(ms * 100) / 100;
  return Number.isInteger(rounded) ? `${rounded}.0` : `${rounded}`;
}
