/**
 * The policy of the guest with SELinux, in CIL: the smallest one that hob's own module can be added to. Whatever is not a
 * container runs as `kernel_t`, which may do everything, as root may under a distribution's policy. Types, attributes and levels
 * have the names of those policies, so that a module which compiles with this one compiles there.
 */
import { classes, commons, type SecurityClass } from './selinux-classes.ts';

/** As distributions have it; a pair of them is a container's own. */
const CATEGORIES = 1024;

/** In the kernel's order: it knows them by number. */
const initialSids = {
  ...{ kernel: 'kernel_t', security: 'security_t', unlabeled: 'unlabeled_t', fs: 'fs_t', file: 'file_t' },
  ...{ file_labels: 'unlabeled_t', init: 'kernel_t', any_socket: 'unlabeled_t', port: 'port_t', netif: 'netif_t' },
  ...{ netmsg: 'netlabel_peer_t', node: 'node_t', igmp_packet: 'unlabeled_t', icmp_socket: 'unlabeled_t' },
  ...{ tcp_socket: 'unlabeled_t', sysctl_modprobe: 'unlabeled_t', sysctl: 'sysctl_t', sysctl_fs: 'unlabeled_t' },
  ...{
    sysctl_kernel: 'unlabeled_t',
    sysctl_net: 'unlabeled_t',
    sysctl_net_unix: 'unlabeled_t',
    sysctl_vm: 'unlabeled_t',
  },
  ...{ sysctl_dev: 'unlabeled_t', kmod: 'unlabeled_t', policy: 'unlabeled_t', scmp_packet: 'unlabeled_t' },
  devnull: 'null_device_t',
};

/** Where labels of files come from: kept by the file system, made from that of the process, or one for all of it. */
const keeping = ['ext4', 'xfs', 'btrfs', 'overlay'];
const making = { tmpfs: 'tmpfs_t', devtmpfs: 'device_t', shm: 'tmpfs_t', mqueue: 'tmpfs_t', devpts: 'devpts_t' };
const passing = ['pipefs', 'sockfs'];
const uniform = {
  ...{ rootfs: 'root_t', '9p': 'nfs_t', proc: 'proc_t', sysfs: 'sysfs_t', cgroup: 'cgroup_t', cgroup2: 'cgroup_t' },
  ...{ selinuxfs: 'security_t', securityfs: 'sysfs_t', debugfs: 'debugfs_t', tracefs: 'debugfs_t', bpf: 'bpf_t' },
  ...{
    nsfs: 'nsfs_t',
    anon_inodefs: 'anon_inodefs_t',
    bdev: 'bdev_t',
    configfs: 'configfs_t',
    hugetlbfs: 'hugetlbfs_t',
  },
};

/** Types of files and file systems that are none of the above. */
const furtherTypes = ['usr_t', 'bin_t', 'lib_t', 'var_lib_t', 'tmp_t'];

/** What a process of a constrained type may do only to what has no category that it lacks itself. */
const constrained = [
  '(file (read write getattr setattr append map execute open create unlink link rename))',
  '(dir (read write getattr setattr search add_name remove_name open create rmdir))',
  '(process (transition dyntransition signal sigkill sigstop signull ptrace getattr))',
  '(unix_stream_socket (connectto))',
  '(unix_dgram_socket (sendto))',
];

/** The policy's text. A module in CIL follows it on the command line of secilc. */
export function basePolicy(): string {
  const fileTypes = new Set([
    ...Object.values(initialSids).filter((type) => type !== 'kernel_t'),
    ...[...Object.values(making), ...Object.values(uniform), ...furtherTypes],
  ]);
  return [
    '(handleunknown allow)',
    '(mls true)',
    ...['network_peer_controls', 'open_perms', 'extended_socket_class', 'cgroup_seclabel', 'nnp_nosuid_transition'].map(
      (name) => `(policycap ${name})`,
    ),
    ...Object.entries(commons).map(([name, permissions]) => `(common ${name} (${permissions.join(' ')}))`),
    ...classes.flatMap(classText),
    `(classorder (${classes.map(({ name }) => name).join(' ')}))`,
    ...levels(),
    ...['domain', 'file_type', 'filesystem_type', 'mcs_constrained_type'].map((name) => `(typeattribute ${name})`),
    '(role object_r)(role system_r)(user system_u)(userrole system_u object_r)(userrole system_u system_r)',
    '(userlevel system_u (s0))(userrange system_u ((s0) (s0 (every))))(roletype system_r domain)',
    '(type kernel_t)(type confined_t)(typeattributeset domain (kernel_t confined_t))',
    ...[...fileTypes].map((type) => `(type ${type})(roletype object_r ${type})`),
    `(typeattributeset file_type (${[...fileTypes].join(' ')}))(typeattributeset filesystem_type (${[...fileTypes].join(' ')}))`,
    '(typeattribute any_type)(typeattributeset any_type (or domain file_type))',
    ...classes.map(({ name }) => `(allow kernel_t any_type (${name} (all)))`),
    ...toldFrom('confined_t'),
    '(allow any_type filesystem_type (filesystem (associate)))',
    ...constrained.map((what) => `(mlsconstrain ${what} (or (dom h1 h2) (neq t1 mcs_constrained_type)))`),
    ...Object.entries(initialSids).map(([sid, type]) => `(sid ${sid})(sidcontext ${sid} ${context(type)})`),
    `(sidorder (${Object.keys(initialSids).join(' ')}))`,
    ...keeping.map((name) => `(fsuse xattr ${name} ${context('fs_t')})`),
    ...Object.entries(making).map(([name, type]) => `(fsuse trans ${name} ${context(type)})`),
    ...passing.map((name) => `(fsuse task ${name} ${context('fs_t')})`),
    ...Object.entries(uniform).map(([name, type]) => `(genfscon ${name} "/" ${context(type)})`),
    '',
  ].join('\n');
}

/** What lets a process say something to the one that started it, and end: all that `confined_t`, a type for tests, may do. */
function toldFrom(type: string): string[] {
  const permissions = ['process (sigchld)', 'fd (use)', 'fifo_file (write getattr)'];
  return permissions.map((permission) => `(allow ${type} kernel_t (${permission}))`);
}

function classText({ name, common, own }: SecurityClass): string[] {
  return [`(class ${name} (${own.join(' ')}))`, ...(common === undefined ? [] : [`(classcommon ${name} ${common})`])];
}

function levels(): string[] {
  const names = Array.from({ length: CATEGORIES }, (_, number) => `c${number}`);
  return [
    '(sensitivity s0)(sensitivityorder (s0))',
    names.map((name) => `(category ${name})`).join(''),
    `(categoryorder (${names.join(' ')}))`,
    `(categoryset every (range c0 c${CATEGORIES - 1}))(sensitivitycategory s0 (range c0 c${CATEGORIES - 1}))`,
  ];
}

function context(type: string): string {
  return `(system_u ${type === 'kernel_t' ? 'system_r' : 'object_r'} ${type} ((s0) (s0)))`;
}
