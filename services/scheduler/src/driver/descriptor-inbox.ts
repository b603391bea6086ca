import { fail } from '@hob/contracts';
import type { Native } from '@hob/native';

/** The host's ends of a container's descriptors; the receiver owns them. */
export interface ContainerEnds {
  readonly framesFd: number;
  readonly stdoutFd: number;
  readonly stderrFd: number;
}

const ENDS = 3;

/** The ends as they are sent, in this order. */
export function endsInOrder({ framesFd, stdoutFd, stderrFd }: ContainerEnds): readonly number[] {
  return [framesFd, stdoutFd, stderrFd];
}

/**
 * Containers' descriptors that come over a channel, each with the serial of the request that asked for it. They are there
 * before the request's reply is. Owns the channel, and what came and was not taken.
 */
export class DescriptorInbox {
  readonly #native: Native;
  readonly #channel: number;
  readonly #waiting = new Map<number, ContainerEnds>();
  #isClosed = false;

  constructor(native: Native, channel: number) {
    this.#native = native;
    this.#channel = channel;
  }

  /** Sends a descriptor with the serial of a request that follows. @throws ERR_NATIVE_SYSCALL */
  send(serial: number, fd: number): void {
    if (this.#isClosed) throw fail('ERR_NATIVE_SYSCALL', ['send', 'EPIPE']);
    this.#native.send(this.#channel, serial, [fd]);
  }

  /** Gives what came for a request, to be owned by the caller; undefined when nothing did. */
  take(serial: number): ContainerEnds | undefined {
    for (;;) {
      const found = this.#waiting.get(serial);
      if (found) {
        this.#waiting.delete(serial);
        return found;
      }
      const next = this.#isClosed ? undefined : this.#native.receive(this.#channel, ENDS);
      if (!next) return undefined;
      const [framesFd = -1, stdoutFd = -1, stderrFd = -1] = next.fds;
      this.#waiting.set(next.serial, { framesFd, stdoutFd, stderrFd });
    }
  }

  /** Closes what came for a request that failed. */
  discard(serial: number): void {
    const ends = this.take(serial);
    if (ends) closeEnds(this.#native, ends);
  }

  close(): void {
    if (this.#isClosed) return;
    this.take(-1); // what waits in the channel
    this.#isClosed = true;
    for (const ends of this.#waiting.values()) closeEnds(this.#native, ends);
    this.#waiting.clear();
    this.#native.close(this.#channel);
  }
}

export function closeEnds(native: Native, ends: ContainerEnds): void {
  for (const fd of endsInOrder(ends)) native.close(fd);
}
