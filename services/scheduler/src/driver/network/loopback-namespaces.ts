import { closeSync, readFileSync } from 'node:fs';
import { fail } from '@hob/contracts';
import type { NativeNetwork } from '@hob/native';
import type { ContainerNetwork } from './egress-network.ts';

/** As many as are kept for containers to come; each takes some 100 KB of the kernel's memory. */
const SPARE_MAX = 32;
/** Those that nobody has needed for so long are given up but for one, ms. */
const NEEDED_WITHIN_MS = 10_000;
/** The first line of `/proc/net/sockstat` where there is no socket of any kind. */
const NO_SOCKETS = /^sockets: used 0\n/;
/** `/proc/net/dev`, two lines of headings and one for each interface, where no packet has gone through any. */
const NO_PACKETS = /^.*\n.*\n(?: *[^\n:]+:(?: +0)+\n)+$/;

/**
 * The network namespaces of containers that reach nothing but themselves. To make one and to take it down is a
 * sixth of the processor time of a container's life, and few functions ever use theirs. So one that no packet has gone
 * through, and that no socket is left in, is used again: it is as it was made. No container has a capability over its own.
 * One is kept ready, since making it would be a tenth of what a first call waits for.
 */
export class LoopbackNamespaces {
  readonly #native: NativeNetwork;
  /** Descriptors. */
  readonly #spare: number[] = [];
  readonly #timer: NodeJS.Timeout;
  /** How many have been there all the time since it was last looked. */
  #unneeded = 0;
  #isClosed = false;

  constructor(native: NativeNetwork) {
    this.#native = native;
    this.#timer = setInterval(() => this.#giveUp(), NEEDED_WITHIN_MS).unref();
  }

  /** A network for one container; it is to be released when all processes of the container are gone. @throws ERR_NATIVE_SYSCALL */
  take(): ContainerNetwork {
    const namespace = this.#spare.pop() ?? this.#native.createNamespace();
    this.#unneeded = Math.min(this.#unneeded, this.#spare.length);
    let isReleased = false;
    return {
      path: `/proc/${process.pid}/fd/${namespace}`,
      open: () => {
        throw fail('ERR_NATIVE_SYSCALL', ['egress', 'ENETDOWN']);
      },
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#release(namespace);
      },
    };
  }

  /** Makes the one that the next container takes, when none is there. For a moment in which nobody waits for this thread. */
  prepare(): void {
    if (this.#isClosed || this.#spare.length > 0) return;
    try {
      this.#spare.push(this.#native.createNamespace());
    } catch {
      // `take` tries again, and tells whose container it was for.
    }
  }

  /** Gives up those that are kept, and all that come back. Idempotent. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const namespace of this.#spare.splice(0)) closeSync(namespace);
  }

  #release(namespace: number): void {
    if (!this.#isClosed && this.#spare.length < SPARE_MAX && this.#isUnused(namespace)) this.#spare.push(namespace);
    else closeSync(namespace);
  }

  #giveUp(): void {
    const excess = Math.min(this.#unneeded, Math.max(this.#spare.length - 1, 0));
    for (const namespace of this.#spare.splice(0, excess)) closeSync(namespace);
    this.#unneeded = this.#spare.length;
  }

  #isUnused(namespace: number): boolean {
    const read = (name: string): string => readFileSync(`/proc/thread-self/net/${name}`, 'utf8');
    try {
      return this.#native.within(namespace, () => NO_PACKETS.test(read('dev')) && NO_SOCKETS.test(read('sockstat')));
    } catch {
      return false; // nobody knows
    }
  }
}
