import { readFileSync } from 'node:fs';

const KIB_IN_MB = 1024;

/** Proportional set size: private pages, and of each shared page the share that is this process's, MB. */
export function proportionalMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  if (kib === undefined) throw new Error(`no Pss of process ${pid}`);
  return Number(kib) / KIB_IN_MB;
}
