import type { FunctionConfig, FunctionVersion } from '@hob/contracts';
import type { SchedulerConfig } from './config.ts';
import { CPU_WEIGHT_USUAL } from './driver/cgroup-knobs.ts';
import type { ContainerKind, ContainerLimits, ContainerProcess } from './container-driver.ts';

/** How many files /tmp holds for each of its MB, when its function does not say. */
const TMP_FILES_PER_MB = 256;

/** The limits of a version's containers: what it asks for, and the server's settings for the rest. */
export function containerLimits(config: FunctionConfig, { pidsMax }: SchedulerConfig): ContainerLimits {
  const { memoryMb, cpu, nofile, tmpMb, io } = config;
  return {
    memoryMb,
    cpu,
    cpuWeight: CPU_WEIGHT_USUAL,
    pids: config.pids ?? pidsMax,
    nofile,
    tmpMb,
    tmpFiles: config.tmpFiles ?? TMP_FILES_PER_MB * tmpMb,
    io,
  };
}

/** Gives a container what its version asks for: limits, its network when it has one, files beside the code. */
export async function equip(
  process: ContainerProcess,
  { config, digest, hasAssets }: FunctionVersion,
  host: { readonly config: SchedulerConfig; readonly network: ContainerKind['network'] },
): Promise<void> {
  await Promise.all([
    process.setLimits(containerLimits(config, host.config)),
    host.network === 'egress' ? process.setEgress(config.egress) : undefined,
    hasAssets ? process.mountTask(digest) : undefined,
  ]);
}

/** How long before the deadline `ctx.signal` is aborted, ms. */
export function abortGraceMs({ abortGraceMs: own, timeoutMs }: FunctionConfig, config: SchedulerConfig): number {
  return own === undefined ? Math.min(config.abortGraceMs, timeoutMs / 10) : Math.min(own, timeoutMs);
}
