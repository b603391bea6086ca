import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the kernel says of a live container. Texts are of files below /proc/<pid>, '' where they cannot be read. */
export interface ContainerSight {
  readonly kind: 'forked' | 'executed';
  readonly status: string;
  readonly stat: string;
  readonly mountinfo: string;
  readonly limits: string;
  readonly maps: readonly string[];
  readonly setgroups: string;
  readonly timeOffsets: string;
  readonly netDev: string;
  readonly apparmor: string;
  readonly selinux: string;
  readonly cgroup: string;
  /** Kinds of namespace that it shares with this process. */
  readonly sharedNamespaces: readonly string[];
  /** What its descriptors lead to, numbers replaced by N. */
  readonly descriptors: readonly string[];
  /** Names in its root folder, and in /dev those of devices with their numbers. */
  readonly rootNames: readonly string[];
  readonly devices: readonly string[];
  /** Limits of its user namespace by name; undefined when nsenter(1) is not there to ask. */
  readonly userLimits: ReadonlyMap<string, number> | undefined;
  /** Text of files of its cgroups; absent where they are in none. */
  readonly cgroupFiles: ReadonlyMap<string, string>;
}

/** What is seen of this host and of containers that were made on it to look at. */
export interface Sight {
  readonly host: HostSight;
  readonly containers: readonly ContainerSight[];
  readonly zygote: { readonly environment: string; readonly inheritable: number };
  /** What was left of the containers after they were killed. */
  readonly left: readonly string[];
}

/** What is seen without making a container. */
export interface HostSight {
  /** Version of Landlock; 0 for none, or when libhob cannot be asked. */
  readonly landlockAbi: number;
  readonly apparmor: boolean;
  readonly selinux: 'enforcing' | 'permissive' | undefined;
  /** Why security modules in force do not confine containers. */
  readonly lacks: readonly string[];
  readonly seccompActions: string;
  readonly timeNamespace: boolean;
  readonly cgroups: 'v1' | 'hybrid' | 'v2' | undefined;
  /** systemd runs, and hob's groups are beside its own rather than in what it gave away. */
  readonly besideSystemd: boolean;
  readonly swap: boolean;
}

const namespaceKinds = ['pid', 'mnt', 'net', 'uts', 'ipc', 'cgroup', 'user', 'time'] as const;

/** A field of /proc/<pid>/status. */
export function statusField({ status }: ContainerSight, name: string): string {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
}

/** One mount of a container. */
export interface Mount {
  readonly point: string;
  /** Of the mount and of its file system. */
  readonly options: ReadonlySet<string>;
  /** `shared:N`, `master:N`, …: ties to mounts elsewhere. */
  readonly ties: readonly string[];
}

export function mountsOf({ mountinfo }: ContainerSight): Mount[] {
  return mountinfo
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , , point = '', own = '', ...ties] = before.split(' ');
      const ofSystem = after.split(' ').slice(2).join(' ');
      return { point, options: new Set([...own.split(','), ...ofSystem.split(',')]), ties: ties.filter(Boolean) };
    });
}

/** Looks at a container by the pid of its first process. @param userLimits those of its user namespace */
export function seeContainer(
  kind: ContainerSight['kind'],
  pid: number,
  userLimits: ContainerSight['userLimits'],
): ContainerSight {
  const read = (name: string): string => readText(`/proc/${pid}/${name}`) ?? '';
  const cgroup = read('cgroup');
  return {
    kind,
    userLimits,
    cgroup,
    status: read('status'),
    stat: read('stat'),
    mountinfo: read('mountinfo'),
    limits: read('limits'),
    maps: [read('uid_map'), read('gid_map')].map((text) => text.trim().replaceAll(/ +/g, ' ')),
    setgroups: read('setgroups').trim(),
    timeOffsets: read('timens_offsets'),
    netDev: read('net/dev'),
    apparmor: withoutEnd(read('attr/apparmor/current')),
    selinux: withoutEnd(read('attr/current')),
    sharedNamespaces: namespaceKinds.filter((name) => linkOf(pid, `ns/${name}`) === linkOf('self', `ns/${name}`)),
    descriptors: list(`/proc/${pid}/fd`).map((fd) => linkOf(pid, `fd/${fd}`).replace(/\d+/, 'N')),
    rootNames: list(`/proc/${pid}/root`),
    devices: devicesOf(`/proc/${pid}/root/dev`),
    cgroupFiles: new Map(
      cgroupFileNames.flatMap((name) => {
        const text = readCgroupFile(cgroup, name);
        return text === undefined ? [] : [[name, text] as const];
      }),
    ),
  };
}

/** Files that tell whether a container is bounded, of v2 and of v1. */
const cgroupFileNames = [
  ...['memory.max', 'memory.swap.max', 'memory.oom.group', 'cpu.max', 'pids.max', 'io.max', 'cgroup.max.descendants'],
  ...['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'cpu.cfs_quota_us', 'devices.list'],
  'blkio.throttle.read_bps_device',
];

/** Reads a file in whichever tree has it. @param cgroup text of /proc/<pid>/cgroup */
function readCgroupFile(cgroup: string, name: string): string | undefined {
  const trees = cgroupTrees();
  for (const line of cgroup.split('\n')) {
    const [, controllers, path = ''] = line.split(':');
    const tree = controllers === undefined ? undefined : trees.get(controllers.split(',')[0] ?? '');
    const text = tree === undefined ? undefined : readText(`${tree}${path}/${name}`);
    if (text !== undefined) return text.trim();
  }
  return undefined;
}

/** Where each controller of v1 is mounted, and under '' v2. */
export function cgroupTrees(): Map<string, string> {
  const trees = new Map<string, string>();
  for (const line of (readText('/proc/self/mountinfo') ?? '').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [type, , options = ''] = after.split(' ');
    const point = before.split(' ')[4] ?? '';
    if (type === 'cgroup2') trees.set('', trees.get('') ?? point);
    if (type === 'cgroup') for (const name of options.split(',')) trees.set(name, trees.get(name) ?? point);
  }
  return trees;
}

/** Character and block devices below a folder, as `name type major:minor`. */
function devicesOf(folder: string): string[] {
  return list(folder)
    .flatMap((name) => {
      const stat = lstatSync(`${folder}/${name}`, { throwIfNoEntry: false });
      if (stat === undefined || !(stat.isCharacterDevice() || stat.isBlockDevice())) return [];
      const [major, minor] = [(stat.rdev >> 8) & 0xfff, (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)];
      return [`${name} ${stat.isCharacterDevice() ? 'c' : 'b'} ${major}:${minor}`];
    })
    .toSorted();
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function withoutEnd(text: string): string {
  return text.replaceAll('\0', '').trim();
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(pid: number | 'self', name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return ''; // closed meanwhile, or a kernel without it
  }
}
