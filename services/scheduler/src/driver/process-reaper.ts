import { constants } from 'node:os';
import type { Native } from '@hob/native';

/** How a process ended: its exit code, or the signal that ended it. */
export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Reads the status of wait(2). */
export function decodeStatus(status: number): ProcessEnd {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff, signal: undefined };
  return { code: undefined, signal: signalNames.get(number) ?? `signal ${number}` };
}

/**
 * Reaps containers' first processes, which are children of this process although zygotes fork them. Node reaps only what
 * it spawned itself, by pid, so the two do not meet. Each pid is asked for only while it is watched: it cannot be
 * used again before it is reaped here.
 */
export class ProcessReaper {
  readonly #native: Native;
  readonly #watched = new Map<number, (end: ProcessEnd) => void>();
  readonly #onChild = (): void => this.#sweep();

  constructor(native: Native) {
    this.#native = native;
    process.on('SIGCHLD', this.#onChild);
  }

  /** Resolves when the process has ended and is reaped. Call it when its end is near: each watched pid costs a call per SIGCHLD. */
  wait(pid: number): Promise<ProcessEnd> {
    return new Promise((resolve) => {
      this.#watched.set(pid, resolve);
      this.#try(pid);
    });
  }

  close(): void {
    process.off('SIGCHLD', this.#onChild);
  }

  #sweep(): void {
    for (const pid of this.#watched.keys()) this.#try(pid);
  }

  #try(pid: number): void {
    let status: number | undefined;
    try {
      status = this.#native.reap(pid);
    } catch {
      status = 0; // not a child (any more): whatever it was, it is gone
    }
    if (status === undefined) return;
    const resolve = this.#watched.get(pid);
    this.#watched.delete(pid);
    resolve?.(decodeStatus(status));
  }
}
