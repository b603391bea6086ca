/** What the host and a zygote say to each other over the zygote's control socket: one JSON object a line. */

import type { ContainerProgram, ContainerSpec } from '@hob/native/library';

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

type ZygotesOwn = 'insideUid' | 'framesFd' | 'loopFds' | 'clockStartNs' | 'noticesFd';

/** What the host says of a container; the zygote knows the rest. */
interface ContainerRequest extends Omit<ContainerSpec, ZygotesOwn> {
  readonly serial: number;
}

/** Fork a container. Its descriptors come over the zygote's channel with the same serial. */
export interface ForkRequest extends ContainerRequest {
  readonly op: 'fork';
  /**
   * A seccomp filter with notices in place of the profile's, base64. The socket for its listener has come over the channel,
   * with the same serial.
   */
  readonly filter?: string;
}

/** Execute a program in a container, which is otherwise as a forked one. */
export interface SpawnRequest extends ContainerRequest {
  readonly op: 'spawn';
  readonly program: ContainerProgram;
}

export type ZygoteRequest = ZygoteSetup | ForkRequest | SpawnRequest;

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
/** Exit code of a child that could not enter its container; its standard error says why. */
export const ENTER_FAILED_EXIT_CODE = 125;
