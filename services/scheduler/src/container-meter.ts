import type { Breach, ContainerAccount, ContainerProcess } from './container-driver.ts';

/** What a container has used since it was forked, by the kernel's account. */
export interface MeterReading {
  readonly cpuMs: number;
  /** See `Receipt`. */
  readonly memoryPeakBytes: number;
  /** When it was forked, monotonic ms. */
  readonly bornAtMs: number;
}

/** A reading of at most this age is good enough for the end of a call whose response has just been read for, ms. */
export const READING_AGE_MS = 0.25;
/** A container that used less CPU time than this since it was looked at has not done much else, either, ms. */
const LOOK_CPU_MS = 1;
/** A peak that differs by less than this from the one before is not looked for anew, bytes. */
const PEAK_STEP_BYTES = 1024 * 1024;
/** But one that is older than this is, ms. */
const PEAK_AGE_MS = 100;

/**
 * The meter of one container. Each number that it asks the kernel for costs a system call, so it asks as seldom as the receipts
 * allow: for the CPU time at each call, for the rest once the container has used enough of it.
 */
export class ContainerMeter {
  #process: ContainerProcess | undefined;
  #account: ContainerAccount | undefined;
  #bornAtMs = 0;
  #cpuMs = 0;
  #readAtMs = -Infinity;
  #lookedCpuMs = 0;
  #peakBytes = 0;
  #peakBeforeBytes = 0;
  #restartedAtMs = 0;
  #breach: Breach | undefined;

  /** The container is there. */
  attach(process: ContainerProcess, nowMs: number): void {
    this.#process = process;
    this.#account = process.account;
    this.#bornAtMs = nowMs - process.createMs;
  }

  /** Forking it took this long, ms. */
  get createMs(): number {
    return this.#process?.createMs ?? 0;
  }

  /** CPU time and memory now, without the readings of the calls; nothing when it is gone. */
  async usage(): Promise<{ readonly cpuSeconds: number; readonly memoryBytes: number }> {
    // It may end while it is asked.
    return (await this.#process?.usage().catch(() => undefined)) ?? { cpuSeconds: 0, memoryBytes: 0 };
  }

  /** CPU time when it was read last, ms. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  /** The most memory when it was looked at last, bytes. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** The limit of processes or memory that the container had run into when it was looked at last. */
  get breach(): Breach | undefined {
    return this.#breach;
  }

  /** CPU time until now, ms. */
  readCpu(): number {
    this.#cpuMs = this.#account?.cpuMs() ?? 0;
    return this.#cpuMs;
  }

  /** @param ageMsMax how old the reading may be. */
  read(nowMs: number, ageMsMax: number): MeterReading {
    if (nowMs - this.#readAtMs >= ageMsMax) {
      this.#readAtMs = nowMs;
      if (this.readCpu() - this.#lookedCpuMs >= LOOK_CPU_MS) this.look();
    }
    return { cpuMs: this.#cpuMs, memoryPeakBytes: this.#peakBytes, bornAtMs: this.#bornAtMs };
  }

  /** Asks for the most memory, and for limits that the container has run into. */
  look(): void {
    this.#lookedCpuMs = this.#cpuMs;
    this.#peakBytes = this.#account?.memoryPeakBytes() ?? 0;
    this.#breach ??= this.#account?.breach();
  }

  /** A function has it from now on: what was used before is not the function's. */
  claimed(nowMs: number): void {
    this.#restartPeak(nowMs);
    this.readCpu();
    this.look();
  }

  /**
   * No call runs. The most memory is looked for anew, lest the next call be told of this one's; but not after each of many
   * calls that are all alike.
   */
  idle(nowMs: number): void {
    const isAlike = Math.abs(this.#peakBytes - this.#peakBeforeBytes) < PEAK_STEP_BYTES;
    if (!isAlike || nowMs - this.#restartedAtMs >= PEAK_AGE_MS) this.#restartPeak(nowMs);
  }

  #restartPeak(nowMs: number): void {
    this.#restartedAtMs = nowMs;
    this.#peakBeforeBytes = this.#peakBytes;
    this.#account?.restartPeak();
  }
}
