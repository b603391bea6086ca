import { Socket } from 'node:net';
import { runtimeCalls, type SystemCallRules } from '@hob/contracts';
import {
  decodeNotices,
  type FilterNotices,
  type Filters,
  loadFilters,
  type Native,
  type NoticeWatch,
  seccompProfilePath,
} from '@hob/native';
import type { ContainerExit } from '../container-driver.ts';

/** Filters that are kept compiled. */
const FILTERS_MAX = 64;

/** A container that its own filter may hold up in a system call. */
export interface WatchedCalls {
  /** The filter, as a zygote takes it. */
  readonly filter: Uint8Array;
  /** What the filter's listener comes through: a copy of it goes to the zygote. */
  readonly noticesFd: number;
  /** The zygote has it, or failed: the descriptor is not needed here any more. */
  forked(): void;
  /** Told once at most that it made a call which it may not make; never when it learns. */
  onForbidden: () => void;
  /** It is dead. @returns what is known of its calls. */
  release(): Pick<ContainerExit, 'systemCalls' | 'forbiddenCall'>;
}

interface OpenWatch {
  readonly watch: NoticeWatch;
  readonly socket: Socket;
}

/**
 * Compiles filters for functions with rules of their own, and watches the containers that have one. The native watch is
 * opened with the first of these. Lifecycle: open → closed; every container must have been released by then.
 */
export class SystemCallWatch {
  readonly #native: Native;
  readonly #library: string;
  readonly #compiled = new Map<string, Uint8Array>();
  readonly #containers = new Map<number, WatchedCalls>();
  #filters: Filters | undefined;
  #open: OpenWatch | undefined;
  #partial: Buffer = Buffer.alloc(0);

  /** @param library absolute path of libhob.so, which `native` is of. */
  constructor(native: Native, library: string) {
    this.#native = native;
    this.#library = library;
  }

  /**
   * Prepares a container that is to be forked.
   *
   * @param serial names it among all that are watched.
   * @throws ERR_NATIVE_SYSCALL
   */
  watch(serial: number, rules: SystemCallRules | 'learn'): WatchedCalls {
    const learns = rules === 'learn';
    const filter = this.#filter(rules);
    const filters = this.#loaded();
    const { watch } = (this.#open ??= this.#start(filters));
    // A stream, as the frames socket is: containers may write to such a one under every security module's profile.
    const [ours, noticesFd] = this.#native.channel('stream');
    try {
      filters.add(watch, { serial, noticesFd: ours, learns });
    } catch (error) {
      this.#native.close(noticesFd);
      throw error;
    }
    const calls: WatchedCalls = {
      filter,
      noticesFd,
      forked: () => this.#native.close(noticesFd),
      onForbidden: () => undefined,
      release: () => {
        this.#containers.delete(serial);
        const names = filters.remove(watch, serial).map((call) => filters.callName(call) ?? `number ${call}`);
        if (learns) return { systemCalls: names };
        const [forbiddenCall] = names;
        return forbiddenCall === undefined ? {} : { forbiddenCall };
      },
    };
    this.#containers.set(serial, calls);
    return calls;
  }

  async close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#loaded().closeWatch(open.watch);
    if (!open.socket.closed) await new Promise((resolve) => open.socket.once('close', resolve));
  }

  #filter(rules: SystemCallRules | 'learn'): Uint8Array {
    const key = JSON.stringify(rules);
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size >= FILTERS_MAX && oldest !== undefined) this.#compiled.delete(oldest);
    const filter = this.#loaded().compile(seccompProfilePath, noticesOf(rules));
    this.#compiled.set(key, filter);
    return filter;
  }

  #loaded(): Filters {
    return (this.#filters ??= loadFilters(this.#library));
  }

  #start(filters: Filters): OpenWatch {
    const { watch, noticesFd } = filters.openWatch();
    const socket = new Socket({ fd: noticesFd, readable: true, writable: false });
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    return { watch, socket };
  }

  #receive(bytes: Buffer): void {
    const all = Buffer.concat([this.#partial, bytes]);
    const { notices, bytesTaken } = decodeNotices(all);
    this.#partial = all.subarray(bytesTaken);
    for (const { serial } of notices) this.#containers.get(serial)?.onForbidden();
  }
}

function noticesOf(rules: SystemCallRules | 'learn'): FilterNotices {
  if (rules === 'learn') return { calls: [], callsKept: true, dangerous: false };
  const dangerous = rules.onViolation === 'kill';
  if (rules.allow === undefined) return { calls: [...new Set(rules.deny)], callsKept: false, dangerous };
  return { calls: [...new Set([...rules.allow, ...runtimeCalls])], callsKept: true, dangerous };
}
