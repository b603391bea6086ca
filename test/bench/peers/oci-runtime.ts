import { join } from 'node:path';
import { TemporaryFolder } from '../../support/temporary-folder.ts';
import { type Missing, needProgram, versionOf } from '../tools.ts';
import type { ContainerPeer, ContainerSettings, PeerHost } from './container-peer.ts';
import { writeOciBundle } from './oci-bundle.ts';
import type { PeerCgroups } from './peer-cgroups.ts';

/** One of them. */
export interface OciRuntimeKind {
  readonly program: string;
  /** What comes before the runtime's command. */
  readonly flags: readonly string[];
  readonly mapsRoot: boolean;
}

/** A runtime with runc's command line, called in the foreground. */
export class OciRuntime implements ContainerPeer {
  readonly name: string;
  readonly #program: string;
  readonly #flags: readonly string[];
  readonly #mapsRoot: boolean;
  readonly #folder: TemporaryFolder;
  readonly #settings: ContainerSettings;
  readonly #cgroups: PeerCgroups;

  private constructor(program: string, kind: OciRuntimeKind, folder: TemporaryFolder, host: PeerHost) {
    this.name = versionOf(program).replace('version ', '');
    this.#program = program;
    this.#flags = [...kind.flags, '--root', join(folder.path, 'state')];
    this.#mapsRoot = kind.mapsRoot;
    this.#folder = folder;
    this.#settings = host.settings;
    this.#cgroups = host.cgroups;
  }

  static async open(kind: OciRuntimeKind, host: PeerHost): Promise<OciRuntime | Missing> {
    const found = await needProgram(kind.program);
    if ('missing' in found) return found;
    return new OciRuntime(found.path, kind, await TemporaryFolder.create(kind.program), host);
  }

  async prepare(slot: string, program: readonly string[]): Promise<readonly string[]> {
    const bundle = join(this.#folder.path, slot);
    const cgroupsPath = this.#cgroups.pathOf(slot);
    await writeOciBundle(bundle, program, { ...this.#settings, cgroupsPath, mapsRoot: this.#mapsRoot });
    return [this.#program, ...this.#flags, 'run', '--bundle', bundle, `bench-${process.pid}-${slot}`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
