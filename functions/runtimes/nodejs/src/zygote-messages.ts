/**
 * What the host and a zygote say to each other over the zygote's control socket: requests in the form of native/ts/fork-request.ts,
 * and one JSON object a line in return.
 */

import type { ContainerRequest } from '@hob/native/fork-request';
import type { ContainerProgram } from '@hob/native/library';

/** The first line that a zygote gets. */
export interface ZygoteSetup {
  readonly op: 'setup';
  /** Absolute path of libhob.so. */
  readonly library: string;
  /** Absolute path of the seccomp profile. */
  readonly profile: string;
  /** What the library of the fault sweep or the benchmark is told, else ''. */
  readonly probe: string;
}

/** Execute a program in a container, which is otherwise as a forked one. */
export interface SpawnRequest extends Omit<ContainerRequest, 'filter'> {
  readonly op: 'spawn';
  readonly serial: number;
  readonly program: ContainerProgram;
}

/** Requests that are texts; those for forks are not. */
export type ZygoteRequest = ZygoteSetup | SpawnRequest;

/** `ready` answers the set-up, with serial 0; `done` the others; `failed` either. */
export type ZygoteReply =
  | { readonly op: 'ready'; readonly serial: 0; readonly nodeVersion: string }
  | { readonly op: 'done'; readonly serial: number; readonly pid: number }
  | { readonly op: 'failed'; readonly serial: number; readonly message: string };

/** Descriptor of the control socket in a zygote, and of the channel for containers' descriptors. */
export const ZYGOTE_CONTROL_FD = 3;
export const ZYGOTE_CHANNEL_FD = 4;
/** uid and gid of functions inside their containers. */
export const INSIDE_UID = 1000;
/** Exit code of a child that could not enter its container, HOB_ENTER_FAILED of native/include/hob.h; its standard error says why. */
export const ENTER_FAILED_EXIT_CODE = 125;
