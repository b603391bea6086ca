import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seccompProfilePath } from '@hob/native';
import { ociSeccomp } from './oci-seccomp.ts';

const MiB = 1024 * 1024;

/** What the peer's container is to have: the same as hob's own. */
export interface OciLimits {
  /** The root filesystem's folder: hob's own. */
  readonly root: string;
  readonly memoryMb: number;
  readonly pidsMax: number;
  readonly tmpBytes: number;
  readonly shmBytes: number;
  readonly nofileMax: number;
  readonly hostUid: number;
  /** Below `hob/`, with a leading `/`. */
  readonly cgroupsPath: string;
}

/**
 * Makes an OCI bundle with hob's isolation: the same root filesystem, namespaces, limits, seccomp rules, no capability.
 *
 * @param folder is made; crun wants the file in it to be called config.json.
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
      uidMappings: [{ containerID: 1000, hostID: limits.hostUid, size: 1 }],
      gidMappings: [{ containerID: 1000, hostID: limits.hostUid, size: 1 }],
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

function ociMounts({ tmpBytes, shmBytes }: OciLimits): object[] {
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
  ];
}
