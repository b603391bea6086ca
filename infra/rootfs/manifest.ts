/**
 * Everything that is in a container's root filesystem, by name.
 *
 * Programs and libraries are copies of the host's, because a forked container keeps the host's libc mapped and what it
 * loads later must fit to it. Configuration is our own. Nothing else of the host's /usr or /etc is visible inside.
 */

/** What goes into the tree. Paths inside the tree are absolute, of the merged-/usr layout. */
export interface RootfsManifest {
  /** Folders, 0755. The empty ones among them are mount points. */
  readonly folders: readonly string[];
  /** Path → target, relative to the link's folder or absolute inside the tree. */
  readonly links: Readonly<Record<string, string>>;
  /** Programs of the host, by absolute path, copied to the same place with the libraries that ldd names. */
  readonly programs: readonly string[];
  /** Path inside → program of the host that is copied there, with its libraries. */
  readonly renamedPrograms: Readonly<Record<string, string>>;
  /** Libraries beside libc that are opened by name when first needed. One that the host does not have is left out. */
  readonly libraries: readonly string[];
  /** Data files of the host, by absolute path. */
  readonly files: readonly string[];
  /** Data folders of the host, by absolute path, with the names directly inside that are left out. */
  readonly trees: readonly { readonly path: string; readonly except: readonly string[] }[];
  /** Path → content of files of our own making. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Basic tools, all of packages that Debian calls essential: dash, coreutils, findutils, grep, sed, tar, gzip. */
const tools =
  'base64 basename cat chmod comm cp cut date dd df dirname du env expand expr false find fold grep gzip head id join ' +
  'ln ls md5sum mkdir mkfifo mktemp mv nl nproc od paste printenv printf pwd readlink realpath rm rmdir sed seq ' +
  'sha1sum sha256sum sha512sum shuf sleep sort split stat stty sync tac tail tar tee test timeout touch tr true ' +
  'truncate tsort tty uname uniq wc whoami xargs yes';

/** The program `[` has a name that needs no place in a list of words. */
const programs = ['dash', '[', ...tools.split(' ')];

/** @param node absolute path of the Node binary that runs functions */
export function rootfsManifest(node: string): RootfsManifest {
  return {
    folders: ['/dev', '/proc', '/tmp', '/var/task', '/usr/bin', '/usr/lib', '/usr/lib64', '/usr/sbin'],
    links: {
      '/bin': 'usr/bin',
      '/lib': 'usr/lib',
      '/lib64': 'usr/lib64',
      '/sbin': 'usr/sbin',
      '/usr/bin/sh': 'dash',
      '/etc/localtime': '/usr/share/zoneinfo/Etc/UTC',
      '/etc/mtab': '/proc/self/mounts',
      '/var/tmp': '/tmp',
    },
    programs: programs.map((name) => `/usr/bin/${name}`),
    renamedPrograms: { '/usr/local/bin/node': node },
    // The name services of the C library; and libraries that old programs want although libc has taken them in.
    libraries: [
      'libanl.so.1',
      'libdl.so.2',
      'libm.so.6',
      'libnss_dns.so.2',
      'libnss_files.so.2',
      'libpthread.so.0',
      'libresolv.so.2',
      'librt.so.1',
      'libutil.so.1',
    ],
    files: ['/etc/ssl/certs/ca-certificates.crt'],
    // `posix` repeats the whole tree, `right` counts leap seconds, which no runtime here does.
    trees: [{ path: '/usr/share/zoneinfo', except: ['posix', 'right', 'localtime', 'posixrules'] }],
    texts,
  };
}

const texts: Readonly<Record<string, string>> = {
  '/etc/passwd': lines(
    'root:x:0:0:root:/:/bin/sh',
    'fn:x:1000:1000:function:/tmp:/bin/sh',
    'nobody:x:65534:65534:nobody:/:/bin/false',
  ),
  '/etc/group': lines('root:x:0:', 'fn:x:1000:', 'nogroup:x:65534:'),
  '/etc/hostname': lines('localhost'),
  '/etc/hosts': lines('127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback'),
  '/etc/nsswitch.conf': lines('passwd: files', 'group: files', 'hosts: files dns', 'services: files'),
  // hob's own, NAME_SERVERS of services/contracts/src/protocol.ts: the same in all containers, reached by those with a network.
  '/etc/resolv.conf': lines('nameserver 169.254.53.53', 'nameserver fd68:6f62::53', 'options timeout:3 attempts:2'),
  '/etc/services': lines('http 80/tcp', 'https 443/tcp', 'domain 53/udp', 'domain 53/tcp'),
  '/etc/timezone': lines('Etc/UTC'),
  '/etc/os-release': lines('NAME="hob"', 'ID=hob', 'PRETTY_NAME="hob container"'),
};

function lines(...text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
