import type { MemorySnapshot, PoolSnapshot } from '@hob/contracts';
import { WINDOW_SLOTS } from './claim-history.ts';
import type { Timer } from './clock.ts';
import type { ContainerKind } from './container-driver.ts';
import type { Environment } from './environment.ts';
import type { Fleet } from './fleet.ts';
import { ForkGate } from './fork-gate.ts';
import type { MemoryReading, MemorySource } from './host-memory.ts';
import { reliefBytes } from './memory-relief.ts';
import { Pool, type PoolHost } from './pool.ts';
import { type MemoryObservation, memoryBudgetBytes, poolTargets } from './pool-target.ts';

/**
 * The pools of all kinds in use. It tells each how many containers to keep parked: anew when a claim shows that more are wanted,
 * and sixty times in a window, when it also looks at the host's memory.
 */
export class Pools implements PoolHost {
  readonly #env: Environment;
  readonly #fleet: Fleet;
  readonly #source: MemorySource;
  readonly #pools = new Map<string, Pool>();
  /** By memory class: what forks them is another zygote. */
  readonly #forks = new Map<number, ForkGate>();
  /** Undefined until it was read for the first time, or while it cannot be. */
  #memory: MemoryReading | undefined;
  #hasToldPressure = false;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(env: Environment, fleet: Fleet, source: MemorySource) {
    this.#env = env;
    this.#fleet = fleet;
    this.#source = source;
    void this.#look();
  }

  /** The pool of a kind; it is filled from its first use on. */
  of(kind: ContainerKind): Pool {
    const key = `${kind.runtime}/${kind.memoryMb}/${kind.network}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new Pool(this.#env, { fleet: this.#fleet, kind, host: this });
      this.#pools.set(key, pool);
      if (this.#isClosed) pool.close();
      else this.#aim(0);
    }
    return pool;
  }

  /** For those who fork what the pool of a kind does not have. */
  forks({ memoryMb }: ContainerKind): ForkGate {
    let gate = this.#forks.get(memoryMb);
    if (gate === undefined) {
      gate = new ForkGate(this.#env.config.forkParallel);
      this.#forks.set(memoryMb, gate);
    }
    return gate;
  }

  get coldStarts(): number {
    let own = 0;
    for (const pool of this.#pools.values()) own += pool.creating;
    return this.#fleet.forking - own;
  }

  moreWanted(): void {
    this.#aim();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const pool of this.#pools.values()) pool.close();
  }

  snapshot(): PoolSnapshot[] {
    return [...this.#pools.values()].map((pool) => pool.snapshot());
  }

  /** What bounds all pools together; undefined while it is not known. */
  memorySnapshot(): MemorySnapshot | undefined {
    const memory = this.#observeMemory();
    return memory && { ...memory, budgetBytes: memoryBudgetBytes(memory) };
  }

  /** @param delayMs when pools may begin to make containers: as a rule once the calls that claimed some have gone first. */
  #aim(delayMs = this.#env.config.poolRefillDelayMs): void {
    const pools = [...this.#pools.values()];
    const memory = this.#observeMemory();
    const budgetBytes = memory === undefined ? Infinity : memoryBudgetBytes(memory);
    const targets = poolTargets(
      pools.map((pool) => pool.observe()),
      budgetBytes,
    );
    for (const [at, pool] of pools.entries()) pool.aim(targets[at] ?? 0, delayMs);
  }

  /** Where parking none is not enough, idle containers end. */
  #relieve(): void {
    const memory = this.#observeMemory();
    if (memory !== undefined) this.#fleet.relieve(reliefBytes(memory, this.#fleet.idleBytes));
  }

  #observeMemory(): MemoryObservation | undefined {
    if (this.#memory === undefined) return undefined;
    const { poolMemoryPercent: sharePercent, poolPressurePercent: pressurePercentMax } = this.#env.config;
    let parkedBytes = 0;
    for (const pool of this.#pools.values()) parkedBytes += pool.parkedBytes;
    return { ...this.#memory, parkedBytes, sharePercent, pressurePercentMax };
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const pools = [...this.#pools.values()];
    const [memory] = await Promise.all([this.#source.read(), ...pools.map((pool) => pool.weigh())]);
    if (this.#isClosed) return;
    this.#memory = memory;
    this.#tellPressure();
    this.#aim();
    this.#relieve();
    this.#timer = this.#env.clock.after(this.#env.config.poolWindowMs / WINDOW_SLOTS, () => void this.#look());
  }

  #tellPressure(): void {
    if (this.#hasToldPressure) return;
    this.#hasToldPressure = true;
    if (this.#memory?.pressurePercent !== undefined) return;
    this.#env.log.info('this kernel does not tell memory pressure: pools follow the available memory alone');
  }
}
