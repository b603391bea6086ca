import { openSync, readSync } from 'node:fs';
import { fail } from '@hob/contracts';
import type { NativeNetwork } from '@hob/native';
import { Descriptors } from './descriptors.ts';
import type { ContainerNetwork } from './egress-network.ts';

/** As many as are kept for containers to come; each takes some 100 KB of the kernel's memory. */
const SPARE_MAX = 32;
const READ_BYTES = 4096;
/** The first line of `/proc/net/sockstat` where there is no socket of any kind. */
const NO_SOCKETS = /^sockets: used 0\n/;
/** `/proc/net/dev`, two lines of headings and one for each interface, where no packet has gone through any. */
const NO_PACKETS = /^.*\n.*\n(?: *[^\n:]+:(?: +0)+\n)+$/;

/** A namespace with nothing but its loopback interface, and windows on what there is in it. */
interface Namespace {
  readonly descriptors: Descriptors;
  readonly path: string;
  readonly sockets: number;
  readonly packets: number;
}

/**
 * The network namespaces of containers that reach nothing but themselves. To make one and to take it down costs the kernel
 * more than half of what the rest of a container does, and few functions ever use theirs. So one that no packet has gone
 * through, and that no socket is left in, is used again: it is as it was made. No container has a capability over its own.
 */
export class LoopbackNamespaces {
  readonly #native: NativeNetwork;
  readonly #spare: Namespace[] = [];
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #isClosed = false;

  constructor(native: NativeNetwork) {
    this.#native = native;
  }

  /** A network for one container; it is to be released when all processes of the container are gone. @throws ERR_NATIVE_SYSCALL */
  take(): ContainerNetwork {
    const namespace = this.#spare.pop() ?? this.#make();
    let isReleased = false;
    return {
      path: namespace.path,
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

  /** Gives up those that are kept, and all that come back. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const { descriptors } of this.#spare.splice(0)) descriptors.close();
  }

  #make(): Namespace {
    const descriptors = new Descriptors();
    try {
      const fd = descriptors.keep(this.#native.createNamespace());
      const open = (name: string): number => descriptors.keep(openSync(`/proc/thread-self/net/${name}`, 'r'));
      const [sockets, packets] = this.#native.within(fd, () => [open('sockstat'), open('dev')] as const);
      return { descriptors, path: `/proc/${process.pid}/fd/${fd}`, sockets, packets };
    } catch (error) {
      descriptors.close();
      throw error;
    }
  }

  #release(namespace: Namespace): void {
    if (!this.#isClosed && this.#spare.length < SPARE_MAX && this.#isUnused(namespace)) this.#spare.push(namespace);
    else namespace.descriptors.close();
  }

  #isUnused({ sockets, packets }: Namespace): boolean {
    return NO_PACKETS.test(this.#read(packets)) && NO_SOCKETS.test(this.#read(sockets));
  }

  #read(fd: number): string {
    return this.#buffer.toString('latin1', 0, readSync(fd, this.#buffer, 0, READ_BYTES, 0));
  }
}
