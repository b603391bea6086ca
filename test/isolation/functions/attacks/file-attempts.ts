import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { JavaScriptAttempt } from './attempts.ts';

const DONE = 'done';
const MiB = 1024 * 1024;

function opened(path: string, flags = 'r'): string {
  closeSync(openSync(path, flags));
  return DONE;
}

function written(path: string, text = ''): string {
  writeFileSync(path, text);
  return DONE;
}

/** Writes one file until the file system takes no more, and removes it. */
function fill(path: string): string {
  const file = openSync(path, 'w');
  try {
    const block = Buffer.alloc(MiB, 1);
    for (let megabytes = 0; megabytes < 1024; megabytes += 1) writeSync(file, block);
    return 'a gigabyte';
  } finally {
    closeSync(file);
    unlinkSync(path);
  }
}

/** Makes empty files until the file system takes no more, and removes them. */
function fillNames(folder: string): string {
  mkdirSync(folder);
  try {
    for (let count = 0; count < 100_000; count += 1) closeSync(openSync(join(folder, String(count)), 'w'));
    return 'a hundred thousand files';
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Files of the root filesystem that would change their user's rights. */
function countSetuid(folder: string): number {
  let count = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) count += path === '/proc' ? 0 : countSetuid(path);
    else if (entry.isFile() && (statSync(path).mode & 0o6000) !== 0) count += 1;
  }
  return count;
}

function device(name: string): string {
  const { mode, rdev } = statSync(join('/dev', name));
  // The kernel's encoding, which for such small numbers is the old one.
  return `${(mode & 0o170000) === 0o020000 ? name : `no device: ${name}`} ${rdev >> 8}:${rdev & 0xff}`;
}

/** Machine code as Node loads it. Its error has no number of the kernel's, but says what was refused. */
function loaded(path: string): string {
  try {
    process.dlopen({ exports: {} }, path);
    return DONE;
  } catch (error) {
    return /failed to map segment/.exec(String(error))?.[0] ?? String(error);
  }
}

export const fileAttempts: Readonly<Record<string, JavaScriptAttempt>> = {
  'write-usr': () => written('/usr/attack'),
  'write-assets': () => written('/var/task/attack'),
  'write-etc-hosts': () => written('/etc/hosts', '127.0.0.1 attack'),
  'write-etc-passwd': () => {
    appendFileSync('/etc/passwd', 'x::0:0::/:/bin/sh');
    return DONE;
  },
  'write-resolv-conf': () => written('/etc/resolv.conf', 'nameserver 192.0.2.1'),
  'chmod-program': () => {
    chmodSync('/usr/local/bin/node', 0o777);
    return DONE;
  },
  'find-setuid-files': () => String(countSetuid('/')),
  'replace-task-by-link': () => {
    rmdirSync('/var/task');
    symlinkSync('/proc', '/var/task');
    return DONE;
  },
  'replace-tmp-by-link': () => {
    renameSync('/tmp', '/tmp.old');
    symlinkSync('/', '/tmp');
    return DONE;
  },
  'read-shadow': () => opened('/etc/shadow'),
  'read-root-home': () => readdirSync('/root').join(),
  'read-repository': ({ repository }) => readdirSync(repository).join(),
  'read-data-folder': ({ dataDir }) => readdirSync(dataDir).join(),
  'climb-by-dots': () => (readdirSync('/../../..').join() === readdirSync('/').join() ? 'its own root' : 'out'),
  'climb-by-cwd': () =>
    readdirSync('/proc/self/cwd/../../../..').join() === readdirSync('/').join() ? 'its own root' : 'out',
  'climb-by-root': () =>
    readdirSync('/proc/1/root/../..').join() === readdirSync('/').join() ? 'its own root' : 'out',
  'working-folder': () => process.cwd(),
  'open-host-mount-namespace': () => readlinkSync('/proc/2147483000/ns/mnt'),

  'fill-tmp': () => fill('/tmp/attack-full'),
  'fill-tmp-with-names': () => fillNames('/tmp/attack-names'),
  'fill-shm': () => fill('/dev/shm/attack-full'),

  'list-devices': () => readdirSync('/dev').toSorted().join(' '),
  'check-devices': () => ['null', 'zero', 'full', 'random', 'urandom'].map(device).join(', '),
  'open-console': () => opened('/dev/console'),
  'open-tty': () => opened('/dev/tty'),
  'open-ptmx': () => opened('/dev/ptmx'),
  'open-mem': () => opened('/dev/mem'),
  'open-kmsg': () => opened('/dev/kmsg'),
  'open-fuse': () => opened('/dev/fuse'),
  'open-tun': () => opened('/dev/net/tun'),
  'remove-dev-null': () => {
    unlinkSync('/dev/null');
    return DONE;
  },
  'link-over-dev-null': () => {
    symlinkSync('/proc/self/mem', '/dev/null.new');
    renameSync('/dev/null.new', '/dev/null');
    return DONE;
  },
  'own-dev-null': () => {
    chownSync('/dev/null', 1000, 1000);
    return DONE;
  },

  'list-proc': () =>
    readdirSync('/proc')
      .filter((name) => !/^\d+$/.test(name))
      .toSorted()
      .join(' '),
  'see-other-processes': () =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .join(' '),
  'write-core-pattern': () => written('/proc/sys/kernel/core_pattern', '|/tmp/attack'),
  'write-sysrq': () => written('/proc/sysrq-trigger', 'b'),
  'read-kernel-memory': () => opened('/proc/kcore'),
  'read-kernel-symbols': () => opened('/proc/kallsyms'),
  'read-keys': () => opened('/proc/keys'),
  'read-partitions': () => opened('/proc/partitions'),
  'open-sys': () => readdirSync('/sys').join(),
  'open-cgroups': () => readdirSync('/sys/fs/cgroup').join(),
  'write-release-agent': () => written('/sys/fs/cgroup/memory/release_agent', '/tmp/attack'),
  'write-uevent-helper': () => written('/sys/kernel/uevent_helper', '/tmp/attack'),
  'read-environment': () => readFileSync('/proc/self/environ', 'latin1').replaceAll('\0', ''),
  'cgroup-paths': () => {
    const paths = readFileSync('/proc/self/cgroup', 'utf8').trimEnd().split('\n');
    return [...new Set(paths.map((line) => line.split(':')[2] ?? ''))].toSorted().join(' ');
  },
  'change-lsm-label': () => written('/proc/self/attr/current', 'changeprofile unconfined'),

  'load-addon': () => loaded('/var/task/addon.node'),
  'load-addon-from-tmp': () => {
    copyFileSync('/var/task/addon.node', '/tmp/attack-addon.node');
    return loaded('/tmp/attack-addon.node');
  },
};
