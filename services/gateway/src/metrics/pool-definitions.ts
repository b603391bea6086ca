import type { MemorySnapshot, PoolSnapshot } from '@hob/contracts';
import { Gauge, type Registry } from 'prom-client';

type Kind = 'runtime' | 'memory_mb' | 'network';

/** The metrics of pools: what there is, what is aimed at, and everything that this follows from. */
export interface PoolDefinitions {
  readonly poolContainers: Gauge<Kind | 'state'>;
  readonly poolTarget: Gauge<Kind>;
  readonly poolBound: Gauge<Kind | 'bound'>;
  readonly poolClaimRate: Gauge<Kind | 'window'>;
  readonly poolBurst: Gauge<Kind>;
  readonly poolCreateTime: Gauge<Kind>;
  readonly poolRefillDelay: Gauge<Kind>;
  readonly poolParallel: Gauge<Kind>;
  readonly poolContainerBytes: Gauge<Kind>;
  readonly memoryTotal: Gauge;
  readonly memoryAvailable: Gauge;
  readonly memoryPressure: Gauge<'of'>;
  readonly memoryShare: Gauge;
  readonly poolMemory: Gauge;
  readonly poolMemoryBudget: Gauge;
}

const kind = ['runtime', 'memory_mb', 'network'] as const;

/** Makes them. */
export function definePoolMetrics(registers: Registry[]): PoolDefinitions {
  const ofKind = (name: string, help: string): Gauge<Kind> => new Gauge({ name, help, labelNames: kind, registers });
  return {
    poolContainers: new Gauge({
      name: 'hob_pool_containers',
      help: 'Containers of the pool by runtime, memory class, network class and state.',
      labelNames: [...kind, 'state'],
      registers,
    }),
    poolTarget: ofKind('hob_pool_target_containers', 'How many parked containers are aimed at.'),
    poolBound: new Gauge({
      name: 'hob_pool_bound_containers',
      help: 'The setting between which targets are: min and max.',
      labelNames: [...kind, 'bound'],
      registers,
    }),
    poolClaimRate: new Gauge({
      name: 'hob_pool_claims_per_second',
      help: 'Claims a second, in all of the window (long) and in its last tenth (short).',
      labelNames: [...kind, 'window'],
      registers,
    }),
    poolBurst: ofKind('hob_pool_burst_claims', 'The most claims of the window that came within one replacement.'),
    poolCreateTime: ofKind('hob_pool_create_seconds', 'Making a container: the median of the last ones.'),
    poolRefillDelay: ofKind('hob_pool_refill_delay_seconds', 'Pause between a claim and making the replacement.'),
    poolParallel: ofKind('hob_pool_parallel_containers', 'How many containers are made at the same time.'),
    poolContainerBytes: ofKind('hob_pool_container_bytes', 'Memory of one parked container.'),
    ...defineMemoryMetrics(registers),
  };
}

function defineMemoryMetrics(registers: Registry[]) {
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
  return {
    memoryTotal: gauge('hob_memory_total_bytes', 'Memory of the host, or the limit of the cgroups that hob is in.'),
    memoryAvailable: gauge('hob_memory_available_bytes', 'What of it could be had without swapping.'),
    memoryPressure: new Gauge({
      name: 'hob_memory_pressure_ratio',
      help: 'Part of the last ten seconds with something waiting for memory (now; not there on a kernel that does not tell), and at which no container is parked (max).',
      labelNames: ['of'],
      registers,
    }),
    memoryShare: gauge(
      'hob_pool_memory_share_ratio',
      'How much of the memory may be in use for containers to be parked.',
    ),
    poolMemory: gauge('hob_pool_memory_bytes', 'What parked containers take.'),
    poolMemoryBudget: gauge('hob_pool_memory_budget_bytes', 'What parked containers may take.'),
  };
}

const ofPools = [
  'poolContainers',
  'poolTarget',
  'poolBound',
  'poolClaimRate',
  'poolBurst',
  'poolCreateTime',
  'poolRefillDelay',
  'poolParallel',
  'poolContainerBytes',
] as const;

/** Sets them as they are now; those of pools and readings that are gone are dropped. */
export function setPoolMetrics(
  metrics: PoolDefinitions,
  pools: readonly PoolSnapshot[],
  memory: MemorySnapshot | undefined,
): void {
  for (const name of ofPools) metrics[name].reset();
  for (const pool of pools) setPool(metrics, pool);
  metrics.memoryPressure.reset();
  if (memory !== undefined) setMemory(metrics, memory);
}

function setPool(metrics: PoolDefinitions, pool: PoolSnapshot): void {
  const labels = { runtime: pool.runtime, memory_mb: pool.memoryMb, network: pool.network };
  metrics.poolContainers.set({ ...labels, state: 'creating' }, pool.creating);
  metrics.poolContainers.set({ ...labels, state: 'parked' }, pool.parked);
  metrics.poolTarget.set(labels, pool.target);
  metrics.poolBound.set({ ...labels, bound: 'min' }, pool.min);
  metrics.poolBound.set({ ...labels, bound: 'max' }, pool.max);
  metrics.poolClaimRate.set({ ...labels, window: 'short' }, pool.claimsPerSecondShort);
  metrics.poolClaimRate.set({ ...labels, window: 'long' }, pool.claimsPerSecondLong);
  metrics.poolBurst.set(labels, pool.burst);
  metrics.poolCreateTime.set(labels, pool.createMs / 1000);
  metrics.poolRefillDelay.set(labels, pool.refillDelayMs / 1000);
  metrics.poolParallel.set(labels, pool.parallel);
  metrics.poolContainerBytes.set(labels, pool.containerBytes);
}

function setMemory(metrics: PoolDefinitions, memory: MemorySnapshot): void {
  metrics.memoryTotal.set(memory.totalBytes);
  metrics.memoryAvailable.set(memory.availableBytes);
  if (memory.pressurePercent !== undefined) metrics.memoryPressure.set({ of: 'now' }, memory.pressurePercent / 100);
  metrics.memoryPressure.set({ of: 'max' }, memory.pressurePercentMax / 100);
  metrics.memoryShare.set(memory.sharePercent / 100);
  metrics.poolMemory.set(memory.parkedBytes);
  metrics.poolMemoryBudget.set(memory.budgetBytes);
}
