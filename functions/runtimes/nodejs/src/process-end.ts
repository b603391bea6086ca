import type { ExitPayload } from '@hob/contracts/protocol';
import { reportError } from './failure.ts';

/** Ends the process after telling the host why. */
export type Leave = (exit: ExitPayload) => never;

const UNCAUGHT_EXIT_CODE = 1;
/** What a shell reports for a process that SIGABRT has ended. */
const ABORT_EXIT_CODE = 134;
const KEEP_ALIVE_MS = 2 ** 30;

/**
 * Makes every way in which JavaScript can end the process go through `leave`: `process.exit`, `reallyExit`, `abort`, an
 * uncaught exception, an unhandled rejection. Handlers that the function has set for these events run first, and may
 * prevent the last two as in any Node. The event loop never becomes empty.
 */
export function takeOverEnd(leave: Leave): void {
  const leaveByExit = (exitCode: unknown): never => leave({ reason: 'exit', exitCode: Number(exitCode ?? 0) });
  // `process.exit` runs the handlers of 'exit' and then calls this. It stays writable: libraries wrap it.
  Object.defineProperty(process, 'reallyExit', {
    value: leaveByExit,
    configurable: true,
    enumerable: true,
    writable: true,
  });
  process.abort = () => leaveByExit(ABORT_EXIT_CODE);
  takeOverUncaught(leave);
  // Not reachable for a function, unlike the socket: without a handle Node would end itself natively, and hang.
  setInterval(() => undefined, KEEP_ALIVE_MS);
}

function takeOverUncaught(leave: Leave): void {
  // Node's native code calls this for every error that nothing has caught, and ends the process when it returns false.
  const original: unknown = Reflect.get(process, '_fatalException');
  const handled = (error: unknown, fromPromise: boolean): boolean =>
    typeof original === 'function' && Reflect.apply(original, process, [error, fromPromise]) === true;

  const onUncaught = (error: unknown, fromPromise: boolean): boolean => {
    let last = error;
    try {
      if (handled(error, fromPromise)) return true;
    } catch (thrown) {
      last = thrown;
    }
    return leave({
      reason: fromPromise ? 'unhandled-rejection' : 'uncaught-exception',
      exitCode: UNCAUGHT_EXIT_CODE,
      error: reportError(last),
    });
  };
  Object.defineProperty(process, '_fatalException', {
    value: onUncaught,
    configurable: false,
    enumerable: true,
    writable: false,
  });
}
