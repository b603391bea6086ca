import type { ContainerProcess } from './container-driver.ts';

/** What a container has used since it was forked, by the kernel's account. */
export interface MeterReading {
  readonly cpuMs: number;
  /** See `ContainerAccount`. */
  readonly memoryPeakBytes: number;
  /** When it was forked, monotonic ms. */
  readonly bornAtMs: number;
}

/** A peak that differs by less than this from the one before is not looked at anew, bytes. */
const PEAK_STEP_BYTES = 1024 * 1024;
/** But one that is older than this is, ms. */
const PEAK_AGE_MS = 100;
/** Running into a limit takes more CPU time than this, ms: whoever used less is not asked. */
const BREACH_CPU_MS = 1;

/** The meter of one container: it reads the kernel's account as seldom as the receipts allow. */
export class ContainerMeter {
  #process: ContainerProcess | undefined;
  #bornAtMs = 0;
  #cpuMs = 0;
  #checkedCpuMs = 0;
  #peakBytes = 0;
  #peakBeforeBytes = 0;
  #restartedAtMs = 0;

  /** The container is there. */
  attach(process: ContainerProcess, nowMs: number): void {
    this.#process = process;
    this.#bornAtMs = nowMs - process.createMs;
  }

  /** CPU time when it was read last, ms. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  read(): MeterReading {
    if (this.#process !== undefined) {
      const { cpuMs, memoryPeakBytes } = this.#process.account();
      this.#cpuMs = cpuMs;
      this.#peakBytes = memoryPeakBytes;
    }
    return { cpuMs: this.#cpuMs, memoryPeakBytes: this.#peakBytes, bornAtMs: this.#bornAtMs };
  }

  /** A function has it from now on: what was used before is not the function's. */
  claimed(): void {
    this.#process?.restartPeak();
    this.read();
    this.#checkedCpuMs = this.#cpuMs;
  }

  /**
   * No call runs. The most memory is looked for anew, lest the next call be told of this one's; but not after each of many
   * calls that are all alike.
   */
  idle(nowMs: number): void {
    const isAlike = Math.abs(this.#peakBytes - this.#peakBeforeBytes) < PEAK_STEP_BYTES;
    if (isAlike && nowMs - this.#restartedAtMs < PEAK_AGE_MS) return;
    this.#peakBeforeBytes = this.#peakBytes;
    this.#restartedAtMs = nowMs;
    this.#process?.restartPeak();
  }

  /**
   * Whether the container has run into a limit of processes or memory.
   *
   * @param isSuspect false: it is asked only when it has used enough CPU time since it was asked last.
   */
  isBreached(isSuspect: boolean): boolean {
    const { cpuMs } = this.read();
    if (!isSuspect && cpuMs - this.#checkedCpuMs < BREACH_CPU_MS) return false;
    this.#checkedCpuMs = cpuMs;
    return this.#process?.breach() !== undefined;
  }
}
