import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Breach, ContainerAccount } from '../container-driver.ts';

/** A number in a cgroup's file. */
export interface CountedFile {
  readonly path: string;
  /** What stands right before it, the blank included; '' when the file is the number alone. */
  readonly key: string;
}

/** The files that an account is read from. */
export interface AccountFiles {
  readonly cpu: CountedFile;
  /** How many of its units make a millisecond. */
  readonly cpuUnitsPerMs: number;
  readonly memoryPeak: CountedFile;
  /** Forks that were refused at the limit of processes. */
  readonly pidsDenied: CountedFile;
  /** Processes that were killed for memory. */
  readonly oomKills: CountedFile;
}

const ZERO = 0x30;

/**
 * The open files of one container's account. A reading costs one system call for each number and opens nothing, so it can be
 * made at the end of a call. Owns the descriptors until `close`; what was read last can be asked for ever.
 */
export class AccountReader {
  readonly #files: AccountFiles;
  readonly #cpuFd: number;
  readonly #peakFd: number;
  readonly #pidsFd: number;
  readonly #oomFd: number;
  readonly #buffer = Buffer.allocUnsafe(512);
  #last: ContainerAccount = { cpuMs: 0, memoryPeakBytes: 0 };
  #canRestart = true;
  #isClosed = false;

  /** Opens the files. @throws the file system's error, after which none is open. */
  constructor(files: AccountFiles) {
    this.#files = files;
    const opened: number[] = [];
    const open = ({ path }: CountedFile, flags = 'r'): number => {
      const fd = openSync(path, flags);
      opened.push(fd);
      return fd;
    };
    try {
      this.#cpuFd = open(files.cpu);
      // Root may open it for writing also where the kernel then takes nothing.
      this.#peakFd = open(files.memoryPeak, 'r+');
      this.#pidsFd = open(files.pidsDenied);
      this.#oomFd = open(files.oomKills);
    } catch (error) {
      opened.forEach(closeSync);
      throw error;
    }
  }

  /** What was read last. */
  get last(): ContainerAccount {
    return this.#last;
  }

  /** Reads CPU time and memory. Never throws: a file that cannot be read leaves its number as it was. */
  read(): ContainerAccount {
    if (this.#isClosed) return this.#last;
    const { cpu, cpuUnitsPerMs, memoryPeak } = this.#files;
    const cpuUnits = this.#number(this.#cpuFd, cpu.key);
    this.#last = {
      cpuMs: cpuUnits === undefined ? this.#last.cpuMs : cpuUnits / cpuUnitsPerMs,
      memoryPeakBytes: this.#number(this.#peakFd, memoryPeak.key) ?? this.#last.memoryPeakBytes,
    };
    return this.#last;
  }

  /** Starts the count of the most memory anew, from what is charged now, where the kernel can. */
  restartPeak(): void {
    if (this.#isClosed || !this.#canRestart) return;
    try {
      writeSync(this.#peakFd, '0', 0);
    } catch {
      this.#canRestart = false;
    }
  }

  /** Whether the kernel has refused it processes or killed some of them for memory. Never throws. */
  breach(): Breach | undefined {
    if (this.#isClosed) return undefined;
    const { pidsDenied, oomKills } = this.#files;
    if ((this.#number(this.#oomFd, oomKills.key) ?? 0) > 0) return 'oom';
    return (this.#number(this.#pidsFd, pidsDenied.key) ?? 0) > 0 ? 'pids' : undefined;
  }

  /** Reads for the last time. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.read();
    this.#isClosed = true;
    for (const fd of [this.#cpuFd, this.#peakFd, this.#pidsFd, this.#oomFd]) closeSync(fd);
  }

  #number(fd: number, key: string): number | undefined {
    const buffer = this.#buffer;
    let end: number;
    try {
      end = readSync(fd, buffer, 0, buffer.byteLength, 0);
    } catch {
      return undefined;
    }
    const found = key === '' ? 0 : buffer.subarray(0, end).indexOf(key);
    if (found < 0) return undefined;
    let value = 0;
    for (let at = found + key.length; at < end; at++) {
      const digit = (buffer[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    return value;
  }
}
