import type { IncomingHttpHeaders } from 'node:http';

/** What the answer's headers tell of an invocation; 0 or '' where they do not say. */
export interface InvocationAccount {
  readonly invocationId: string;
  readonly version: number;
  /** `warm`, `pool` or `cold`. */
  readonly start: string;
  readonly queueMs: number;
  readonly createMs: number;
  readonly thawMs: number;
  readonly loadMs: number;
  readonly runMs: number;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  readonly containerAgeMs: number;
  readonly bytesIn: number;
  /** Of the body, as far as it was known when the answer began. */
  readonly bytesOut: number;
  /** `ok` or the error's code; '' for an answer that was not complete when it began. */
  readonly outcome: string;
  /** Why the container ended, if it did. */
  readonly cause: string;
}

/** Reads the account of an invocation. */
export function invocationAccount(headers: IncomingHttpHeaders): InvocationAccount {
  const receipt = dictionary(single(headers['hob-receipt']));
  const number = (key: string): number => Number(receipt.get(key) ?? 0);
  const text = (key: string): string => receipt.get(key) ?? '';
  return {
    invocationId: single(headers['hob-invocation-id']),
    version: Number(single(headers['hob-version'])),
    start: text('start'),
    queueMs: number('queue-ms'),
    createMs: number('create-ms'),
    thawMs: number('thaw-ms'),
    loadMs: number('load-ms'),
    runMs: number('run-ms'),
    cpuMs: number('cpu-ms'),
    memoryPeakBytes: number('memory-peak-bytes'),
    containerAgeMs: number('container-age-ms'),
    bytesIn: number('bytes-in'),
    bytesOut: number('bytes-out'),
    outcome: text('outcome'),
    cause: text('cause'),
  };
}

/** The account in two lines. */
export function receiptLines(account: InvocationAccount): string {
  const { invocationId, version, start, queueMs, createMs, thawMs, loadMs, runMs, cpuMs, containerAgeMs } = account;
  const times = Object.entries({
    queue: queueMs,
    create: createMs,
    thaw: thawMs,
    load: loadMs,
    run: runMs,
    cpu: cpuMs,
  });
  const spent = times.map(([step, ms]) => `${step} ${ms.toFixed(2)} ms`).join('  ');
  const { memoryPeakBytes, bytesIn, bytesOut, outcome, cause } = account;
  const used = `memory peak ${(memoryPeakBytes / 2 ** 20).toFixed(1)} MB  in ${bytesIn} B  out ${bytesOut} B`;
  const age = `container age ${(containerAgeMs / 1000).toFixed(2)} s`;
  const end = [outcome || 'not complete yet', ...(cause === '' ? [] : [`container ended: ${cause}`])].join('  ');
  return [
    `invocation ${invocationId || '-'}  version ${version || '-'}  start ${start || '-'}  ${spent}`,
    `${used}  ${age}  outcome ${end}`,
  ].join('\n');
}

function single(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** Reads a dictionary of RFC 9651 whose values are numbers and tokens, without parameters: hob sends no others. */
function dictionary(text: string): Map<string, string> {
  const members = text.split(',').map((member) => member.trim().split('='));
  return new Map(members.map(([key = '', value = '']) => [key, value]));
}
