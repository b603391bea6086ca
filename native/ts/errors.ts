import { constants } from 'node:os';
import { fail } from '@hob/contracts';
import type koffi from 'koffi';

/** What a bound function's parameters are described by. */
export type ParameterType = string | ReturnType<typeof koffi.pointer> | ReturnType<typeof koffi.inout>;

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The name of an error that a call gave as -errno. */
export function errnoName(result: number): string {
  return errnoNames.get(-result) ?? `errno ${-result}`;
}

/** Throws what a call without a step gave, or passes its result on. @throws ERR_NATIVE_SYSCALL */
export function checked(step: string, result: number): number {
  if (result < 0) throw fail('ERR_NATIVE_SYSCALL', [step, errnoName(result)]);
  return result;
}

/** The text that a failed call left in its step. */
export function stepName(step: Buffer): string {
  return step.subarray(0, step.indexOf(0)).toString();
}
