import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seccompProfilePath } from '@hob/native';
import { execa } from 'execa';
import { TemporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';
import { type Missing, missingFor, needProgram, peerEnvironment, versionOf } from '../tools.ts';
import { type ContainerPeer, type ContainerSettings, type PeerHost, SHARED_FOLDER } from './container-peer.ts';
import { ociSeccomp } from './oci-seccomp.ts';

const IMAGE = 'hob-bench';

/** `docker run`, with a dockerd of the bench's own that has no network. Its containers have no user namespace. */
class Docker implements ContainerPeer {
  readonly name: string;
  readonly #program: string;
  readonly #folder: TemporaryFolder;
  readonly #settings: ContainerSettings;
  readonly #daemon: ChildProcess;

  constructor(programs: { docker: string; dockerd: string }, folder: TemporaryFolder, settings: ContainerSettings) {
    const version = /[\d.]+/.exec(versionOf(programs.dockerd))?.[0] ?? '';
    this.name = `docker ${version}, no user namespace`;
    this.#program = programs.docker;
    this.#folder = folder;
    this.#settings = settings;
    const flags = ['--iptables=false', '--ip-forward=false', '--ip-masq=false', '--bridge=none'];
    const places = ['--data-root', 'data', '--exec-root', 'exec', '--pidfile', 'pid'].map((word, at) =>
      at % 2 === 0 ? word : join(folder.path, word),
    );
    const cgroups = ['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', '/hob'];
    const log = openSync(join(folder.path, 'log'), 'w');
    const args = [...flags, ...places, ...cgroups, '--storage-driver', 'overlay2', '-H', this.#address];
    const env = { ...peerEnvironment, HOME: folder.path };
    // However the bench ends, the daemon ends with it.
    const command = ['--pdeathsig', 'TERM', programs.dockerd, ...args];
    this.#daemon = spawn('setpriv', command, { env, stdio: ['ignore', log, log] });
  }

  get #address(): string {
    return `unix://${join(this.#folder.path, 'socket')}`;
  }

  get #profilePath(): string {
    return join(this.#folder.path, 'seccomp.json');
  }

  /** Waits for the daemon, and gives it the image. @throws Error with the last line of its log when it ends. */
  async ready(): Promise<void> {
    await until('dockerd answers', async () => {
      if (this.#daemon.exitCode !== null) {
        throw new Error(
          `dockerd ended: ${readFileSync(join(this.#folder.path, 'log'), 'utf8').trim().split('\n').at(-1)}`,
        );
      }
      return (await execa(this.#program, ['-H', this.#address, 'version'], { reject: false })).exitCode === 0;
    });
    writeFileSync(this.#profilePath, JSON.stringify(ociSeccomp(readFileSync(seccompProfilePath, 'utf8'))));
    const archive = execa('tar', ['-C', this.#settings.root, '-c', '.'], { buffer: false });
    await archive.pipe(this.#program, ['-H', this.#address, 'import', '-', IMAGE]);
  }

  prepare(slot: string, program: readonly string[]): Promise<readonly string[]> {
    const { memoryMb, pidsMax, tmpBytes, shmBytes, nofileMax, shared } = this.#settings;
    const limits = [
      '--memory',
      `${memoryMb}m`,
      '--memory-swap',
      `${memoryMb}m`,
      '--cpus',
      '1',
      '--pids-limit',
      `${pidsMax}`,
    ];
    const files = ['--read-only', '--tmpfs', `/tmp:size=${tmpBytes}`, '--shm-size', `${shmBytes}`];
    const user = ['--user', '1000:1000', '--cap-drop', 'ALL', '--ulimit', `nofile=${nofileMax}:${nofileMax}`];
    const security = ['no-new-privileges', `seccomp=${this.#profilePath}`].flatMap((each) => ['--security-opt', each]);
    const place = ['--network', 'none', '--hostname', 'hob', '--workdir', '/tmp', '-v', `${shared}:${SHARED_FOLDER}`];
    const run = ['run', '--rm', '-i', '--name', `bench-${process.pid}-${slot}`];
    const all = [...run, ...limits, ...files, ...user, ...security, ...place, IMAGE, ...program];
    return Promise.resolve([this.#program, '-H', this.#address, ...all]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#daemon, 'exit');
    if (this.#daemon.exitCode === null && this.#daemon.kill('SIGTERM')) await ended;
    await this.#folder[Symbol.asyncDispose]();
  }
}

export async function openDocker({ settings }: PeerHost): Promise<ContainerPeer | Missing> {
  const [dockerd, docker] = [await needProgram('dockerd', 'docker.io'), await needProgram('docker', 'docker.io')];
  if ('missing' in dockerd) return dockerd;
  if ('missing' in docker) return docker;
  const folder = await TemporaryFolder.create('docker');
  chmodSync(folder.path, 0o711);
  const peer = new Docker({ docker: docker.path, dockerd: dockerd.path }, folder, settings);
  try {
    await peer.ready();
    return peer;
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    return missingFor(error);
  }
}
