import type { IncomingHttpHeaders } from 'node:http';

/** What the answer's headers tell of an invocation. Times are ms. */
export interface InvocationAccount {
  readonly invocationId: string;
  readonly version: number;
  /** `warm`, `pool` or `cold`. */
  readonly start: string;
  readonly queueMs: number;
  readonly createMs: number;
  readonly loadMs: number;
  readonly runMs: number;
}

/** Reads the account of an invocation; what the headers do not say is '' or 0. */
export function invocationAccount(headers: IncomingHttpHeaders): InvocationAccount {
  const times = timings(headers['server-timing']);
  return {
    invocationId: single(headers['hob-invocation-id']),
    version: Number(single(headers['hob-version'])),
    start: single(headers['hob-start']),
    queueMs: times.get('queue') ?? 0,
    createMs: times.get('create') ?? 0,
    loadMs: times.get('load') ?? 0,
    runMs: times.get('run') ?? 0,
  };
}

/** The account as one line. */
export function receiptLine(account: InvocationAccount): string {
  const { invocationId, version, start, queueMs, createMs, loadMs, runMs } = account;
  const times = Object.entries({ queue: queueMs, create: createMs, load: loadMs, run: runMs });
  const spent = times.map(([step, ms]) => `${step} ${ms.toFixed(2)} ms`).join('  ');
  return `invocation ${invocationId || '-'}  version ${version || '-'}  start ${start || '-'}  ${spent}`;
}

function single(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** Reads `server-timing`: a function may have added entries of its own, the first of a name counts. */
function timings(value: string | string[] | undefined): Map<string, number> {
  const times = new Map<string, number>();
  const entries = (Array.isArray(value) ? value.join(',') : (value ?? '')).split(',');
  for (const entry of entries) {
    const [, name, ms] = /^\s*([\w-]+)\s*;.*?\bdur=([\d.]+)/.exec(entry) ?? [];
    if (name !== undefined && !times.has(name)) times.set(name, Number(ms));
  }
  return times;
}
