import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { libraryPath, loadFilters, seccompProfilePath } from '@hob/native';
import { TemporaryFolder } from '../../support/temporary-folder.ts';
import { type Missing, needProgram, versionOf } from '../tools.ts';
import { type ContainerPeer, type ContainerSettings, type PeerHost, SHARED_FOLDER } from './container-peer.ts';
import type { PeerCgroups } from './peer-cgroups.ts';

const MiB = 1024 * 1024;
const CGROUPS = '/sys/fs/cgroup';
/** The controllers of v1 whose limits hob sets, too. */
const trees = ['memory', 'cpu', 'pids', 'devices'].map((name) => join(CGROUPS, name));

/**
 * bwrap (bubblewrap) with the same namespaces and filter. It knows no cgroups and no host uid, so a shell makes the cgroups,
 * sets their limits and enters them, and setpriv(1) takes the uid.
 */
class Bwrap implements ContainerPeer {
  readonly name: string;
  readonly #program: string;
  readonly #folder: TemporaryFolder;
  readonly #settings: ContainerSettings;
  readonly #cgroups: PeerCgroups;

  constructor(program: string, folder: TemporaryFolder, { settings, cgroups }: PeerHost) {
    this.name = `${versionOf(program).replace('bubblewrap', 'bwrap')} + cgroups`;
    this.#program = program;
    this.#folder = folder;
    this.#settings = settings;
    this.#cgroups = cgroups;
    cgroups.makeParents(trees);
  }

  get filterPath(): string {
    return join(this.#folder.path, 'filter.bpf');
  }

  async prepare(slot: string, program: readonly string[]): Promise<readonly string[]> {
    const { memoryMb, pidsMax, nofileMax, hostUid } = this.#settings;
    const [memory = '', cpu = '', pids = '', devices = ''] = trees.map((tree) => tree + this.#cgroups.pathOf(slot));
    const all = [memory, cpu, pids, devices];
    const script = [
      `mkdir ${all.join(' ')}`,
      `echo ${memoryMb * MiB} > ${memory}/memory.limit_in_bytes`,
      `if [ -e ${memory}/memory.memsw.limit_in_bytes ]; then echo ${memoryMb * MiB} > ${memory}/memory.memsw.limit_in_bytes; fi`,
      `echo 100000 > ${cpu}/cpu.cfs_period_us; echo 100000 > ${cpu}/cpu.cfs_quota_us`,
      `echo ${pidsMax} > ${pids}/pids.max`,
      `echo a > ${devices}/devices.deny; echo 'c 1:* rwm' > ${devices}/devices.allow`,
      `ulimit -n ${nofileMax}`,
      `(${all.map((folder) => `echo 0 > ${folder}/cgroup.procs`).join('; ')}`,
      `exec setpriv --reuid=${hostUid} --regid=${hostUid} --clear-groups "$0" "$@" 9< ${this.filterPath})`,
      `code=$?; rmdir ${all.join(' ')}; exit $code`,
    ].join('\n');
    return ['/bin/sh', '-c', script, this.#program, ...this.#flags(), ...program];
  }

  #flags(): string[] {
    const { root, tmpBytes, shmBytes, shared } = this.#settings;
    const tmpfs = (size: number, folder: string): string[] => [
      '--perms',
      '1777',
      '--size',
      `${size}`,
      '--tmpfs',
      folder,
    ];
    return [
      ...['--unshare-all', '--uid', '1000', '--gid', '1000', '--hostname', 'hob', '--cap-drop', 'ALL'],
      ...['--new-session', '--die-with-parent', '--clearenv', '--setenv', 'PATH', '/usr/local/bin:/usr/bin:/bin'],
      ...['--ro-bind', root, '/', '--proc', '/proc', '--dev', '/dev', ...tmpfs(shmBytes, '/dev/shm')],
      ...[...tmpfs(tmpBytes, '/tmp'), '--bind', shared, SHARED_FOLDER, '--chdir', '/tmp', '--seccomp', '9', '--'],
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

export async function openBwrap(host: PeerHost): Promise<ContainerPeer | Missing> {
  if (host.cgroups.isUnified) return { missing: 'its cgroups are made by a script that knows cgroup v1 only' };
  const found = await needProgram('bwrap', 'bubblewrap');
  if ('missing' in found) return found;
  const bwrap = new Bwrap(found.path, await TemporaryFolder.create('bwrap'), host);
  const nothing = { calls: [], callsKept: false, dangerous: false };
  await writeFile(bwrap.filterPath, loadFilters(libraryPath).compile(seccompProfilePath, nothing));
  return bwrap;
}
