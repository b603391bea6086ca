/** How a host asks a zygote for containers: the form that native/src/serve.c reads. Every machine that hob runs on is little-endian. */
import type { ContainerSpec } from './library.ts';

/** What a host says of a container; its zygote knows the rest. */
export interface ContainerRequest extends Omit<
  ContainerSpec,
  'insideUid' | 'framesFd' | 'loopFds' | 'clockStartNs' | 'noticesFd'
> {
  /**
   * A seccomp filter with notices in place of the zygote's. The socket for its listener comes over the channel, with the same
   * serial.
   */
  readonly filter?: Uint8Array;
}

/** What stands before every request: the length of what follows, and its serial. */
export const HEADER_BYTES = 8;
const FORK_BYTES = 64;
const NO_FORK = 0;

/** A request for a fork. @param serial of the answer, and of the container's descriptors: 1 or more. */
export function encodeFork(serial: number, request: ContainerRequest): Buffer {
  const { cgroupDirs, filter = new Uint8Array() } = request;
  const fixed = Buffer.alloc(FORK_BYTES);
  let at = 0;
  const { tmpBytes, tmpInodes, shmBytes, nofileMax, nprocMax, fileBytesMax } = request;
  for (const size of [tmpBytes, tmpInodes, shmBytes, nofileMax, nprocMax, fileBytesMax]) {
    at = fixed.writeBigUInt64LE(BigInt(size), at);
  }
  const counts = [request.hostUid, request.tcpAllowed ? 1 : 0, cgroupDirs.length, filter.byteLength];
  for (const count of counts) at = fixed.writeUInt32LE(count, at);
  const { cgroup2Dir = '', apparmorProfile = '', selinuxContext = '', selinuxFiles = '' } = request;
  const { root, hostname, netns } = request;
  const texts = [root, hostname, netns, cgroup2Dir, apparmorProfile, selinuxContext, selinuxFiles, ...cgroupDirs];
  return withHeader(serial, [fixed, Buffer.from(texts.map((text) => `${text}\0`).join('')), filter]);
}

/** A request of another kind, which `Native.serve` gives to its caller. */
export function encodeText(text: string): Buffer {
  return withHeader(NO_FORK, [Buffer.from(text)]);
}

/** The length of what follows a header. */
export function lengthAfter(header: Buffer): number {
  return header.readUInt32LE(0);
}

function withHeader(serial: number, parts: readonly Uint8Array[]): Buffer {
  const request = Buffer.concat([new Uint8Array(HEADER_BYTES), ...parts]);
  request.writeUInt32LE(request.byteLength - HEADER_BYTES, 0);
  request.writeUInt32LE(serial, 4);
  return request;
}
