import type { PeerCgroups } from './peer-cgroups.ts';

/** What a peer's containers are to have: the same as hob's own. */
export interface ContainerSettings {
  /** The root filesystem's folder: hob's own. */
  readonly root: string;
  readonly memoryMb: number;
  readonly pidsMax: number;
  readonly tmpBytes: number;
  readonly shmBytes: number;
  readonly nofileMax: number;
  /** What uid 1000 inside is on the host. */
  readonly hostUid: number;
  /** A folder of the host that is found at SHARED_FOLDER inside, writable for `hostUid`: for the sockets of servers. */
  readonly shared: string;
}

/** Where `ContainerSettings.shared` is inside. */
export const SHARED_FOLDER = '/tmp/shared';

/** Another way to run a program in a container with hob's isolation. */
export interface ContainerPeer extends AsyncDisposable {
  /** With its version, and with what it lacks. */
  readonly name: string;
  /**
   * @param slot name of the container, that no other one has at the same time.
   * @param program absolute path inside, and arguments.
   * @returns the command that runs the program to its end, on the command's own standard streams, and leaves nothing. It
   *   may be run again once it has ended.
   */
  prepare(slot: string, program: readonly string[]): Promise<readonly string[]>;
}

/** What a peer is opened with. */
export interface PeerHost {
  readonly settings: ContainerSettings;
  readonly cgroups: PeerCgroups;
}
