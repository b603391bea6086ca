import { type DeathCause, type ExitPayload, fail, type FunctionFailure, type HobError } from '@hob/contracts';
import type { ContainerExit } from './container-driver.ts';

/** Why a container ended, and what its running calls fail with. */
export interface Death {
  readonly cause: DeathCause;
  readonly error: HobError;
  /** What the function threw, its stack as the container gave it. */
  readonly failure: FunctionFailure | undefined;
}

/** Causes that hob's own housekeeping has: nothing is wrong with the function. */
export const quietCauses: ReadonlySet<DeathCause> = new Set(['reclaimed', 'replaced', 'shutdown']);

/** The one kind of call that the kernel itself ends a process for, and does not tell which it was. */
const FOREIGN_CALL = 'of another architecture';

/** What calls fail with that hob's housekeeping ends, if there are any: where it was made tells nothing. */
const endedByHob = fail('ERR_CANCELLED', ['hob']);

/** The death of a container that hob ends. */
export function deathBy(cause: DeathCause, error: HobError = endedByHob): Death {
  return { cause, error, failure: undefined };
}

/** The death of a container that made a system call which it may not make. */
function deathByCall(name: string): Death {
  return deathBy('syscall', fail('ERR_FN_FORBIDDEN_SYSCALL', [name]));
}

/** What a container says in EXIT about its end. */
export function deathByExit({ reason, exitCode, error }: ExitPayload): Death {
  if (error === undefined || reason === 'exit') {
    return deathBy('crash', fail('ERR_FN_EXITED', [`the function ended its process with exit code ${exitCode}`]));
  }
  return { cause: 'crash', error: fail('ERR_FN_THREW', [error.name, error.message]), failure: error };
}

/** A container whose function could not be loaded. */
export function deathByLoad({ name, message, stack }: FunctionFailure): Death {
  const error = fail('ERR_FN_LOAD_FAILED', [name, message]);
  return { cause: 'crash', error, failure: { name, message, stack } };
}

/**
 * Reads the cause of an unexpected death from how the first process ended.
 *
 * A refused fork counts only when the process then ended abnormally, as it does when hob ends it for that.
 */
export function deathOf(exit: ContainerExit, limits: { readonly memoryMb: number; readonly pidsMax: number }): Death {
  if (exit.forbiddenCall !== undefined) return deathByCall(exit.forbiddenCall);
  if (exit.oomKilled) return deathBy('oom', fail('ERR_FN_OUT_OF_MEMORY', [limits.memoryMb]));
  if (exit.signal === 'SIGSYS') return deathByCall(FOREIGN_CALL);
  const isAbnormal = exit.signal !== undefined || exit.code !== 0;
  if (exit.pidsDenied && isAbnormal) return deathBy('pids', fail('ERR_FN_TOO_MANY_PROCESSES', [limits.pidsMax]));
  const how =
    exit.signal === undefined ? `ended with exit code ${exit.code ?? 'unknown'}` : `was ended by ${exit.signal}`;
  return deathBy('crash', fail('ERR_FN_CRASHED', [`the function's process ${how}`]));
}

/**
 * What a container that never was loaded tells of the version.
 *
 * @param hadCode false: whatever it died of, the function had no part in it.
 * @returns undefined when it tells nothing: it was ended for another reason.
 */
export function deathOfStart(death: Death, hadCode: boolean): Death | undefined {
  const { cause, error } = death;
  if (quietCauses.has(cause) || cause === 'cancelled' || cause === 'timeout') return undefined;
  // Only the version itself can be what cannot be loaded: it may lack a secret.
  if (hadCode || error.spec.kind === 'platform' || error.code === 'ERR_FN_LOAD_FAILED') return death;
  return deathBy(cause, fail('ERR_SCHED_START_FAILED', [error.message], { cause: error }));
}
