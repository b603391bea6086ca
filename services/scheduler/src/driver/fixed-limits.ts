import type { NewLimits } from '@hob/native';
import type { ContainerLimits } from '../container-driver.ts';

const MiB = 1024 * 1024;
/** RLIMIT_NPROC for each process that the cgroup allows: the cgroup counts its refusals, this one stands behind it. */
export const NPROC_FACTOR = 2;

/** What is to change of the limits that a container got at its fork; undefined when nothing is. */
export function fixedLimits(limits: ContainerLimits, before: ContainerLimits): NewLimits | undefined {
  const { nofile, pids, tmpMb, tmpFiles } = limits;
  const isTmpSame = tmpMb === before.tmpMb && tmpFiles === before.tmpFiles;
  const isSame = isTmpSame && nofile === before.nofile && pids === before.pids;
  if (isSame) return undefined;
  return {
    nofileMax: nofile === before.nofile ? 0 : nofile,
    nprocMax: pids === before.pids ? 0 : NPROC_FACTOR * pids,
    tmpBytes: isTmpSame ? 0 : tmpMb * MiB,
    tmpInodes: isTmpSame ? 0 : tmpFiles,
  };
}
