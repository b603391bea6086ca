import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seccompProfilePath } from '@hob/native';
import { type ContainerSettings, SHARED_FOLDER } from './container-peer.ts';
import { ociSeccomp } from './oci-seccomp.ts';

const MiB = 1024 * 1024;

/** One container's settings. */
export interface OciLimits extends ContainerSettings {
  /** Below `hob/`, with a leading `/`. */
  readonly cgroupsPath: string;
  /** Whether uid 0 inside is somebody too: the host's uid after `hostUid`. hob has none, but runc must have one. */
  readonly mapsRoot: boolean;
}

/**
 * Makes an OCI bundle with hob's isolation: the same root filesystem, namespaces, limits, seccomp rules, no capability.
 *
 * @param folder is made; runtimes want the file in it to be called config.json.
 * @param args the program and its arguments.
 */
export async function writeOciBundle(folder: string, args: readonly string[], limits: OciLimits): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(ociConfig(args, limits)));
}

function ociConfig(args: readonly string[], limits: OciLimits): object {
  return {
    ociVersion: '1.0.0',
    hostname: 'hob',
    root: { path: limits.root, readonly: true },
    process: ociProcess(args, limits),
    mounts: ociMounts(limits),
    linux: {
      cgroupsPath: limits.cgroupsPath,
      namespaces: ['pid', 'mount', 'network', 'uts', 'ipc', 'cgroup', 'user'].map((type) => ({ type })),
      uidMappings: idMappings(limits),
      gidMappings: idMappings(limits),
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: limits.memoryMb * MiB, swap: limits.memoryMb * MiB },
        cpu: { quota: 100_000, period: 100_000 },
        pids: { limit: limits.pidsMax },
      },
      seccomp: ociSeccomp(readFileSync(seccompProfilePath, 'utf8')),
    },
  };
}

function idMappings({ hostUid, mapsRoot }: OciLimits): object[] {
  const own = { containerID: 1000, hostID: hostUid, size: 1 };
  return mapsRoot ? [own, { containerID: 0, hostID: hostUid + 1, size: 1 }] : [own];
}

function ociProcess(args: readonly string[], { nofileMax, pidsMax }: OciLimits): object {
  return {
    terminal: false,
    user: { uid: 1000, gid: 1000 },
    args,
    env: ['PATH=/usr/local/bin:/usr/bin:/bin'],
    cwd: '/tmp',
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    rlimits: [
      { type: 'RLIMIT_NOFILE', hard: nofileMax, soft: nofileMax },
      { type: 'RLIMIT_NPROC', hard: pidsMax, soft: pidsMax },
      { type: 'RLIMIT_CORE', hard: 1, soft: 1 },
    ],
    noNewPrivileges: true,
  };
}

function ociMounts({ tmpBytes, shmBytes, shared }: OciLimits): object[] {
  const safe = ['nosuid', 'nodev', 'noexec'];
  const tmpfs = (destination: string, ...options: string[]): object => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options,
  });
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    tmpfs('/dev', 'nosuid', 'noexec', 'mode=755', 'size=65536'),
    tmpfs('/dev/shm', ...safe, 'mode=1777', `size=${shmBytes}`),
    tmpfs('/tmp', 'nosuid', 'nodev', 'mode=1777', `size=${tmpBytes}`),
    { destination: SHARED_FOLDER, type: 'bind', source: shared, options: ['bind', ...safe] },
  ];
}
