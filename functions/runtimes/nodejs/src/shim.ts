import { readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { encodeCredit, FrameType } from '@hob/contracts/frames';
import type { ClaimPayload, ExitPayload } from '@hob/contracts/protocol';
import { restartClocks } from './clocks.ts';
import { reportError } from './failure.ts';
import { takeOverEnd } from './process-end.ts';
import { emptyModuleCache, enterTaskFolder, prepareProcess, setEnvironment, useOwnNameServers } from './refresh.ts';
import { loadBuiltins, rehearse } from './rehearsal.ts';
import { Session } from './session.ts';
import { SocketOutbox } from './socket-outbox.ts';
import { replaceStdio } from './stdio.ts';
import { installWebGlobals } from './web-globals.ts';

/** What the shim needs of the process that becomes a container. */
export interface ShimOptions {
  /** A connected AF_UNIX stream socket, which the shim owns. By `start` it leads to the host. */
  readonly socketFd: number;
  /** Ends the process at once, running nothing of Node's or the C library's own ends. */
  readonly exit: (code: number) => never;
}

/** What is read at once: this much memory is used for all that ever comes, so that there is nothing to collect. */
const READ_BYTES = 64 * 1024;
/** A parked container that is not claimed within this time uses it to touch the memory that a first call will need. */
const IDLE_BEFORE_REHEARSAL_MS = 25;
/** Of the event loop. */
const TURNS_TO_RECEIVE = 3;

/**
 * What a container runs: it serves the host over one socket until the end of the process. The standard streams and every
 * way of ending the process are the shim's from its construction on.
 *
 * Lifecycle: made (in the zygote, after `prepareShim`) ──start()──▶ serving (in the forked process) ──▶ the end of the process.
 */
export class Shim {
  readonly #exit: (code: number) => never;
  readonly #outbox: SocketOutbox;
  readonly #session: Session;
  #rehearsal: NodeJS.Timeout | undefined;
  #isLeaving = false;

  constructor({ socketFd, exit }: ShimOptions) {
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        this.#receive(buffer.subarray(0, bytes));
        return true;
      },
    };
    const socket = new Socket({ fd: socketFd, readable: true, writable: true, onread });
    this.#exit = exit;
    this.#outbox = new SocketOutbox(socketFd, socket, () => exit(1));
    this.#session = new Session(this.#outbox, {
      claimed: (claim) => this.#claimed(claim),
      loadFailed: () => this.#loadFailed(),
    });
    replaceStdio(this.#session.log);
    takeOverEnd((how) => this.#leave(how));
    // The host ends a container by killing it; without a host there is nothing to do.
    socket.on('end', () => exit(0));
    socket.on('error', () => exit(1));
    socket.on('close', () => exit(1));
  }

  /** Makes this process a parked container, and tells the host so. Call it once, in the process that it is to serve in. */
  start(): void {
    // Not before the fork: the host tells containers from zygotes by it.
    process.title = 'node';
    this.#park();
  }

  /**
   * Does in the zygote, as far as possible, what the shim will do in containers, with a stub function: the code for it is
   * compiled, and the objects for it are in their final shape.
   *
   * @param hostFd the other end of its socket.
   */
  async rehearse(hostFd: number): Promise<void> {
    await rehearse();
    this.#park();
    clearTimeout(this.#rehearsal);
    writeSync(hostFd, encodeCredit(0, 1));
    for (let turns = 0; turns < TURNS_TO_RECEIVE; turns += 1) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
    readSync(hostFd, Buffer.alloc(READ_BYTES));
  }

  #park(): void {
    restartClocks();
    this.#session.park();
    this.#rehearsal = setTimeout(() => void rehearse(), IDLE_BEFORE_REHEARSAL_MS);
  }

  #receive(bytes: Uint8Array): void {
    try {
      this.#session.receive(bytes);
    } catch (error) {
      // After bytes that are no frames there is no way to go on.
      this.#leave({ reason: 'uncaught-exception', exitCode: 1, error: reportError(error) });
    }
  }

  #claimed({ env, filename }: ClaimPayload): void {
    clearTimeout(this.#rehearsal);
    setEnvironment(env);
    process.argv[1] = filename;
    enterTaskFolder();
  }

  #loadFailed(): void {
    this.#isLeaving = true;
    this.#session.flushLogs();
    this.#outbox.flushSync();
    this.#exit(1);
  }

  #leave(how: ExitPayload): never {
    // A function can cause a second end on the way out, by a getter of its error for one.
    if (this.#isLeaving) return this.#exit(how.exitCode);
    this.#isLeaving = true;
    this.#session.flushLogs();
    this.#outbox.send({ type: FrameType.EXIT, stream: 0, payload: JSON.stringify(how) });
    this.#outbox.flushSync();
    return this.#exit(how.exitCode);
  }
}

/**
 * Does before any fork what every container would have to do: sets the globals for web requests and the variables that
 * every function finds in its environment, loads modules, compiles the shim's own code. It draws no random number that a
 * fork would copy, and leaves no timer, handle or listener behind. Await it before the first fork; nothing may be loaded
 * by `require` afterwards, as functions are to find an empty module cache.
 *
 * @param pid what the processes that are forked from this one will be, as they see it.
 */
export async function prepareShim(pid: number): Promise<void> {
  installWebGlobals();
  await loadBuiltins();
  useOwnNameServers();
  await rehearse();
  emptyModuleCache();
  prepareProcess(pid);
}
