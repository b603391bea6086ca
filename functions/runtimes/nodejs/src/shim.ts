import { Socket } from 'node:net';
import { encodeJson, FrameType } from '@hob/contracts/frames';
import type { ExitPayload } from '@hob/contracts/protocol';
import { reportError } from './failure.ts';
import { restartClocks } from './clocks.ts';
import { takeOverEnd } from './process-end.ts';
import { seedMathRandom } from './random.ts';
import { addRuntimeEnvironment, emptyModuleCache, enterTaskFolder, setEnvironment } from './refresh.ts';
import { loadBuiltins, rehearse, rehearseOutbox } from './rehearsal.ts';
import { Session } from './session.ts';
import { SocketOutbox } from './socket-outbox.ts';
import { replaceStdio } from './stdio.ts';
import { installWebGlobals } from './web-globals.ts';

export { refreshAfterFork } from './refresh.ts';

/** What the shim needs of the process that has become a container. */
export interface ShimOptions {
  /** A connected AF_UNIX stream socket to the host, which the shim owns from now on. */
  readonly socketFd: number;
  /** Ends the process at once, running nothing of Node's or the C library's own ends. */
  readonly exit: (code: number) => never;
}

/** A parked container that is not claimed within this time uses it to touch the memory that a first call will need. */
const IDLE_BEFORE_REHEARSAL_MS = 25;

/**
 * Makes this process a parked container: it tells the host so and serves what the host sends until the end of the
 * process. Call it once, after `prepareShim` (in this process or the one that it was forked from) and `refreshAfterFork`.
 * The standard streams and every way of ending the process are the shim's from then on.
 */
export function startShim(options: ShimOptions): void {
  const { socketFd } = options;
  const socket = new Socket({ fd: socketFd, readable: true, writable: true });
  const outbox = new SocketOutbox(socketFd, socket, () => options.exit(1));
  let isLeaving = false;

  function leave(exit: ExitPayload): never {
    // A function can cause a second end on the way out, by a getter of its error for one.
    if (isLeaving) return options.exit(exit.exitCode);
    isLeaving = true;
    session.flushLogs();
    outbox.send(encodeJson(FrameType.EXIT, 0, exit));
    outbox.flushSync();
    return options.exit(exit.exitCode);
  }

  const session = new Session(outbox, {
    claimed: (claim) => {
      clearTimeout(idle);
      setEnvironment(claim.env);
      process.argv[1] = claim.filename;
      enterTaskFolder();
    },
    loadFailed: () => {
      isLeaving = true;
      session.flushLogs();
      outbox.flushSync();
      options.exit(1);
    },
  });

  replaceStdio(session.log);
  takeOverEnd(leave);
  socket.on('data', (bytes: Buffer) => {
    try {
      session.receive(bytes);
    } catch (error) {
      // After bytes that are no frames there is no way to go on.
      leave({ reason: 'uncaught-exception', exitCode: 1, error: reportError(error) });
    }
  });
  // The host ends a container by killing it; without a host there is nothing to do.
  socket.on('end', () => options.exit(0));
  socket.on('error', () => options.exit(1));
  socket.on('close', () => options.exit(1));
  session.park();
  const idle = setTimeout(() => void rehearse(), IDLE_BEFORE_REHEARSAL_MS);
}

/**
 * Does before any fork what every container would have to do: sets the globals for web requests and the variables that
 * every function finds in its environment, loads modules, compiles the shim's own code. It draws no random number that a
 * fork would copy, and leaves no timer, handle or listener behind. Await it before the first fork; nothing may be loaded
 * by `require` afterwards, as functions are to find an empty module cache.
 */
export async function prepareShim(): Promise<void> {
  installWebGlobals();
  addRuntimeEnvironment();
  await loadBuiltins();
  await rehearse();
  await rehearseOutbox();
  emptyModuleCache();
  // Called for the code that they compile; each container calls them again.
  seedMathRandom();
  restartClocks();
}
