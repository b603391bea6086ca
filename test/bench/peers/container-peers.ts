import { chmod, mkdir } from 'node:fs/promises';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { driverDefaults } from '@hob/scheduler';
import { TemporaryFolder } from '../../support/temporary-folder.ts';
import { type Missing, missingFor } from '../tools.ts';
import { openBwrap } from './bwrap.ts';
import type { ContainerPeer, ContainerSettings } from './container-peer.ts';
import { openCrun } from './crun.ts';
import { openDocker } from './docker.ts';
import { PeerCgroups } from './peer-cgroups.ts';
import { openRunc } from './runc.ts';
import { RunnerProcess } from './runner-process.ts';

/** hob's own root filesystem. */
export const root = realpathSync(join(import.meta.dirname, '../../../.hob/rootfs/current'));
export const MEMORY_MB = 256;
export const NODE = '/usr/local/bin/node';
/** Outside the range that the driver takes its own from. */
const PEER_UID = driverDefaults.hostUidFirst + driverDefaults.hostUids;

const openers = { crun: openCrun, runc: openRunc, bwrap: openBwrap, docker: openDocker } as const;
/** The names of all, whether they are there or not. */
export type ContainerPeerName = keyof typeof openers;

/** A peer that this host cannot run. */
export interface MissingPeer extends Missing {
  readonly name: string;
}

/** All container runtimes that hob is compared with, in hob's root filesystem and with its limits. */
export class ContainerPeers implements AsyncDisposable {
  readonly runner = new RunnerProcess();
  readonly present: ContainerPeer[] = [];
  readonly missing: MissingPeer[] = [];
  /** The folder that all containers have at SHARED_FOLDER. */
  readonly shared: string;
  readonly #folder: TemporaryFolder;
  readonly #cgroups = new PeerCgroups();

  private constructor(folder: TemporaryFolder) {
    this.#folder = folder;
    this.shared = join(folder.path, 'shared');
  }

  /** Each has run Node once. */
  static async open(names = Object.keys(openers) as ContainerPeerName[]): Promise<ContainerPeers> {
    const self = new ContainerPeers(await TemporaryFolder.create('peers'));
    await mkdir(self.shared);
    await chmod(self.#folder.path, 0o755);
    await chmod(self.shared, 0o777);
    for (const name of names) await self.#add(name);
    return self;
  }

  async #add(name: ContainerPeerName): Promise<void> {
    const { pidsMax, tmpBytes, shmBytes, nofileMax } = driverDefaults;
    const limits = { memoryMb: MEMORY_MB, pidsMax, tmpBytes, shmBytes, nofileMax };
    const settings: ContainerSettings = { root, ...limits, hostUid: PEER_UID, shared: this.shared };
    const peer = await openers[name]({ settings, cgroups: this.#cgroups });
    if ('missing' in peer) {
      this.missing.push({ name, ...peer });
      return;
    }
    try {
      await this.runner.run(await peer.prepare('first', [NODE, '-e', '0']));
      this.present.push(peer);
    } catch (error) {
      this.missing.push({ name, ...missingFor(error) });
      await peer[Symbol.asyncDispose]();
    }
  }

  /** Whatever fails, the others are disposed of, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using last = new AsyncDisposableStack();
    last.use(this.#folder);
    last.use(this.#cgroups);
    for (const peer of this.present) last.use(peer);
    last.use(this.runner);
  }
}
