import { Socket } from 'node:net';
import {
  asHobError,
  type EgressPolicy,
  fail,
  type Frame,
  FrameDecoder,
  FrameType,
  type HobError,
} from '@hob/contracts';
import type { Native } from '@hob/native';
import { ENTER_FAILED_EXIT_CODE } from '@hob/runtime-nodejs';
import type {
  ContainerAccount,
  ContainerEvents,
  ContainerExit,
  ContainerLimits,
  ContainerProcess,
} from '../container-driver.ts';
import type { AccountReader } from './cgroup-account.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { ContainerControl } from './container-control.ts';
import { closeEnds, type ContainerEnds } from './descriptor-inbox.ts';
import { readFairly, readInto } from './fair-reading.ts';
import { readLines } from './output-lines.ts';

/** `send` asks its caller to hold back when more than this waits, bytes. */
const SEND_BUFFER_BYTES = 1024 * 1024;
/** So many frames leave at once, so that the container works on them while more are made. */
const BATCH_FRAMES = 8;
/** V8 ends the process with one of these when its heap is full, after saying so. */
const V8_FATAL_SIGNALS = new Set(['SIGABRT', 'SIGSEGV', 'SIGTRAP', 'SIGILL', 'SIGBUS']);
const V8_OUT_OF_MEMORY = /JavaScript heap out of memory|Fatal process out of memory/;

const silent: ContainerEvents = {
  frame: () => undefined,
  output: () => undefined,
  broken: () => undefined,
  drain: () => undefined,
};

/** What a container is made with; it takes ownership of the descriptors. */
export interface HostContainerParts {
  readonly control: ContainerControl;
  readonly ends: ContainerEnds;
  /** Read only: what the kernel accounts to containers is open to every user. */
  readonly cgroups: CgroupTree;
}

/**
 * A container on this host as its owner sees it: its frames and its output, which need no privilege, and its control, which
 * may be in another process. Owns its descriptors, and gives `exited` when the last trace of it is gone.
 * Lifecycle: starting → parked → dying → gone.
 */
export class HostContainer implements ContainerProcess {
  readonly id: string;
  readonly pid: number;
  createMs = 0;
  events: ContainerEvents = silent;
  readonly exited: Promise<ContainerExit>;
  readonly #parts: HostContainerParts;
  readonly #account: AccountReader;
  readonly #socket: Socket;
  readonly #pipes: readonly Socket[];
  readonly #parked = Promise.withResolvers<void>();
  readonly #exit = Promise.withResolvers<ContainerExit>();
  readonly #decoder = new FrameDecoder((frame) => this.#take(frame), true);
  #isParked = false;
  #saidOutOfMemory = false;
  #lastWords = '';
  #dying = false;
  #full = false;
  #queued: Buffer[] = [];
  #queuedBytes = 0;
  #isFlushDue = false;
  readonly #flushTurn = (): void => {
    this.#isFlushDue = false;
    if (this.#queued.length > 0) this.#flush();
  };

  private constructor(parts: HostContainerParts) {
    this.#parts = parts;
    this.#account = parts.cgroups.account(parts.control.id);
    this.id = parts.control.id;
    this.pid = parts.control.pid;
    this.exited = this.#exit.promise;
    const { control, ends } = parts;
    const onread = readInto(
      (piece) => this.#receive(piece),
      () => this.#socket.resume(),
    );
    this.#socket = new Socket({ fd: ends.framesFd, readable: true, writable: true, onread });
    this.#pipes = (['stdout', 'stderr'] as const).map((channel) => {
      const pipe = new Socket({
        fd: channel === 'stdout' ? ends.stdoutFd : ends.stderrFd,
        readable: true,
        writable: false,
      });
      readFairly(pipe);
      readLines(pipe, (line) => this.#output(channel, line));
      return pipe;
    });
    this.#socket.on('drain', () => this.#drained());
    for (const end of ['error', 'end', 'close']) this.#socket.on(end, () => this.#lost());
    control.network = {
      denied: (denial) => this.events.denied?.(denial),
      resolved: (tally) => this.events.resolved?.(tally),
    };
    void control.ended.then(() => this.#die());
  }

  /** Takes over a container that was just forked. @throws ERR_NATIVE_SYSCALL, after which it is being ended. */
  static hold(parts: HostContainerParts, native: Native): HostContainer {
    try {
      return new HostContainer(parts);
    } catch (error) {
      closeEnds(native, parts.ends);
      parts.control.kill();
      throw error;
    }
  }

  /** Resolves at the PARKED frame. @throws ERR_SCHED_START_FAILED when the container ended instead; it is gone by then. */
  async parked(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.kill(), timeoutMs);
    try {
      await this.#parked.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Frames of one turn of the event loop, of all calls, leave together or in a few batches: few system calls and wake-ups. */
  send(bytes: Buffer | readonly Buffer[]): boolean {
    if (this.#dying) return true;
    for (const piece of Buffer.isBuffer(bytes) ? [bytes] : bytes) {
      this.#queued.push(piece);
      this.#queuedBytes += piece.byteLength;
    }
    // Until it tells of it: who was held back waits for that.
    this.#full ||= this.#socket.writableLength + this.#queuedBytes > SEND_BUFFER_BYTES;
    if (this.#queued.length >= BATCH_FRAMES && !this.#full) this.#flush();
    else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      setImmediate(this.#flushTurn);
    }
    return !this.#full;
  }

  setLimits(limits: ContainerLimits): Promise<void> {
    return this.#parts.control.setLimits(limits);
  }

  setEgress(policy: EgressPolicy): Promise<void> {
    return this.#parts.control.setEgress(policy);
  }

  setFrozen(isFrozen: boolean): Promise<void> {
    return this.#parts.control.setFrozen(isFrozen);
  }

  get account(): ContainerAccount {
    return this.#account;
  }

  mountTask(digest: string): Promise<void> {
    return this.#parts.control.mountTask(digest);
  }

  usage(): Promise<{ readonly cpuSeconds: number; readonly memoryBytes: number }> {
    return this.#parts.cgroups.usage(this.id);
  }

  kill(): void {
    this.#die();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#dying) return;
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#broken(asHobError(error));
    }
  }

  #take(frame: Frame): void {
    if (this.#dying) return;
    if (this.#isParked) this.events.frame(frame);
    else if (frame.type === FrameType.PARKED) {
      this.#isParked = true;
      this.#parked.resolve();
    } else throw fail('ERR_FN_PROTOCOL', ['a frame before PARKED']);
  }

  /** The container closed its end: it is dying, or is to. */
  #lost(): void {
    if (this.#dying) return;
    this.events.closed?.();
    this.#die();
  }

  #broken(error: HobError): void {
    this.events.broken(error);
    this.#die();
  }

  #flush(): void {
    const pieces = this.#queued;
    this.#queued = [];
    this.#queuedBytes = 0;
    if (this.#dying) return;
    const [first] = pieces;
    this.#write(pieces.length === 1 && first ? first : Buffer.concat(pieces));
  }

  /** The socket tells when it is empty again only if it was too full: else what was queued is the last word. */
  #write(bytes: Buffer): void {
    if (this.#socket.write(bytes) && this.#full) this.#drained();
  }

  #drained(): void {
    if (!this.#full) return;
    this.#full = false;
    this.events.drain();
  }

  #output(channel: 'stdout' | 'stderr', line: string): void {
    if (!this.#isParked) this.#lastWords = line;
    if (channel === 'stderr' && V8_OUT_OF_MEMORY.test(line)) this.#saidOutOfMemory = true;
    this.events.output(channel, line);
  }

  /** The one way down: by `kill`, by the end of the socket, or by broken frames. */
  #die(): void {
    if (this.#dying) return;
    this.#dying = true;
    // While there is something to read: its cgroup goes with it.
    this.#account.close();
    void this.#bury();
  }

  async #bury(): Promise<void> {
    const { control } = this.#parts;
    control.kill();
    const { oomKills, pidsDenied, ...end } = await control.ended;
    await Promise.all(this.#pipes.map(drained));
    this.#socket.destroy();
    if (!this.#isParked) {
      const why = end.code === ENTER_FAILED_EXIT_CODE ? 'could not enter' : 'ended before it was parked';
      const { forbiddenCall } = end;
      const words = forbiddenCall ? `it may not make the system call ${forbiddenCall}` : this.#lastWords;
      this.#parked.reject(fail('ERR_SCHED_START_FAILED', [`the container ${why}: ${words}`]));
    }
    const heapFull = this.#saidOutOfMemory && end.signal !== undefined && V8_FATAL_SIGNALS.has(end.signal);
    this.#exit.resolve({
      ...end,
      oomKilled: oomKills > 0 || heapFull,
      pidsDenied: pidsDenied > 0,
    });
  }
}

/** Waits until what is left in a pipe was read: its writers are dead, so its end is there. */
function drained(pipe: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (pipe.destroyed) resolve();
    else pipe.once('close', () => resolve());
  });
}
