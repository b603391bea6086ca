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
  readonly memory: CountedFile;
  readonly memoryPeak: CountedFile;
  /** Forks that were refused at the limit of processes. */
  readonly pidsDenied: CountedFile;
  /** Processes that were killed for memory. */
  readonly oomKills: CountedFile;
}

const ZERO = 0x30;

/** Reads the account of one container. Owns the descriptors of its files until `close`. */
export class AccountReader implements ContainerAccount {
  readonly #files: AccountFiles;
  readonly #cpuFd: number;
  readonly #peakFd: number;
  readonly #pidsFd: number;
  readonly #oomFd: number;
  readonly #buffer = Buffer.allocUnsafe(512);
  #cpuMs = 0;
  #peakBytes = 0;
  #canRestart: boolean;
  /** The cgroup was removed: what is read from now on says so by an error, which takes long to make. */
  #isGone = false;
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
      const { canRestart, fd } = openPeak(open, files.memoryPeak);
      this.#canRestart = canRestart;
      this.#peakFd = fd;
      this.#pidsFd = open(files.pidsDenied);
      this.#oomFd = open(files.oomKills);
    } catch (error) {
      opened.forEach(closeSync);
      throw error;
    }
  }

  cpuMs(): number {
    const { cpu, cpuUnitsPerMs } = this.#files;
    const units = this.#number(this.#cpuFd, cpu.key);
    if (units !== undefined) this.#cpuMs = units / cpuUnitsPerMs;
    return this.#cpuMs;
  }

  memoryPeakBytes(): number {
    return (this.#peakBytes = this.#number(this.#peakFd, this.#files.memoryPeak.key) ?? this.#peakBytes);
  }

  restartPeak(): void {
    if (this.#isClosed || !this.#canRestart) return;
    try {
      writeSync(this.#peakFd, '0', 0);
    } catch {
      this.#canRestart = false;
    }
  }

  breach(): Breach | undefined {
    const { pidsDenied, oomKills } = this.#files;
    if ((this.#number(this.#oomFd, oomKills.key) ?? 0) > 0) return 'oom';
    return (this.#number(this.#pidsFd, pidsDenied.key) ?? 0) > 0 ? 'pids' : undefined;
  }

  /** Reads for the last time. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.cpuMs();
    this.memoryPeakBytes();
    this.#isClosed = true;
    for (const fd of [this.#cpuFd, this.#peakFd, this.#pidsFd, this.#oomFd]) closeSync(fd);
  }

  #number(fd: number, key: string): number | undefined {
    if (this.#isClosed || this.#isGone) return undefined;
    const buffer = this.#buffer;
    let end: number;
    try {
      end = readSync(fd, buffer, 0, buffer.byteLength, 0);
    } catch (error) {
      this.#isGone = (error as NodeJS.ErrnoException).code === 'ENODEV';
      return undefined;
    }
    return numberIn(buffer.subarray(0, end), key);
  }
}

/** Room for a file of which one number is read, used again and again: what `readFile` would take for it is 64 KiB. */
const shared = Buffer.allocUnsafeSlow(4096);

/** Reads a file once. @returns 0 when the number is not there. @throws the file system's error. */
export function readCount({ path, key }: CountedFile): number {
  const fd = openSync(path, 'r');
  try {
    return numberIn(shared.subarray(0, readSync(fd, shared, 0, shared.byteLength, 0)), key) ?? 0;
  } finally {
    closeSync(fd);
  }
}

/** @returns the number that stands right after `key`, or at the start when that is ''; undefined when there is none such. */
export function numberIn(text: Buffer, key: string): number | undefined {
  const found = key === '' ? 0 : text.indexOf(key);
  if (found < 0) return undefined;
  let value = 0;
  for (let at = found + key.length; at < text.length; at++) {
    const digit = (text[at] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return value;
}

/** Where it may not be written it can be read all the same. */
function openPeak(
  open: (file: CountedFile, flags?: string) => number,
  file: CountedFile,
): { readonly canRestart: boolean; readonly fd: number } {
  try {
    return { canRestart: true, fd: open(file, 'r+') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    return { canRestart: false, fd: open(file) };
  }
}
