import type { NewLimits } from '@hob/native';
import type { ContainerLimits } from '../container-driver.ts';

const MiB = 1024 * 1024;

/** What is to change of the limits that a container got at its fork; undefined when nothing is. */
export function fixedLimits(
  { nofile, tmpMb, tmpFiles }: ContainerLimits,
  before: ContainerLimits,
): Omit<NewLimits, 'hostUid'> | undefined {
  const isTmpSame = tmpMb === before.tmpMb && tmpFiles === before.tmpFiles;
  if (isTmpSame && nofile === before.nofile) return undefined;
  return {
    nofileMax: nofile === before.nofile ? 0 : nofile,
    tmpBytes: isTmpSame ? 0 : tmpMb * MiB,
    tmpInodes: isTmpSame ? 0 : tmpFiles,
  };
}
