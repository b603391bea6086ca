// @ts-check
/** Debian packages: what is absent is installed, without starting any service and without changing a present package. */
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, SetupError } from './command.mjs';

/**
 * A package is there when its file is, wherever that came from.
 *
 * @typedef {{ name: string, file?: string, program?: string }} Package
 */

/** @type {readonly Package[]} */
export const neededPackages = [
  { name: 'gcc', program: 'gcc' },
  { name: 'make', program: 'make' },
  { name: 'libc6-dev', file: '/usr/include/stdio.h' },
  { name: 'libseccomp-dev', file: '/usr/include/seccomp.h' },
  { name: 'nftables', program: 'nft' },
  { name: 'redis-server', program: 'redis-server' },
  { name: 'ca-certificates', file: '/etc/ssl/certs/ca-certificates.crt' },
  { name: 'tzdata', file: '/usr/share/zoneinfo/Etc/UTC' },
];

/**
 * What the tests in guest kernels need beside.
 *
 * @type {readonly Package[]}
 */
export const guestPackages = [
  { name: 'qemu-system-x86', program: 'qemu-system-x86_64' },
  { name: 'apparmor', program: 'apparmor_parser' },
  { name: 'secilc', program: 'secilc' },
  { name: 'e2fsprogs', program: 'mke2fs' },
  { name: 'xz-utils', program: 'xz' },
];

const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * @param {readonly Package[]} packages
 * @returns {string[]} names of those that are absent
 */
export function absentPackages(packages) {
  return packages.filter((each) => !isPresent(each)).map((each) => each.name);
}

/**
 * Installs those of the packages that are absent.
 *
 * Packages that bring a service start it when they are installed. hob runs its own redis-server, so the programs that
 * start services are replaced, for this installation only, by ones that do nothing (the folder `quiet-services`
 * comes first on the PATH that dpkg runs with). Nothing of the system is changed for that, so nothing has to be undone.
 *
 * @param {readonly Package[]} packages
 * @param {import('./progress.mjs').Activity} activity
 */
export async function installPackages(packages, activity) {
  const absent = absentPackages(packages);
  if (absent.length === 0) return `${packages.length} present`;
  const remedy = `apt-get update && apt-get install ${absent.join(' ')}`;
  if (!findProgram('apt-get')) {
    throw new SetupError(`missing: ${absent.join(', ')}; only Debian's apt-get is known here`, {
      remedy: `install these with your system's package manager (Debian's names): ${absent.join(' ')}`,
    });
  }
  await withPackageLists(
    () => run(installCommand(absent), { env: aptEnvironment(), remedy, onLine: activity }),
    activity,
  );
  if (absent.includes('redis-server')) await disableService('redis-server');
  const left = absentPackages(packages);
  if (left.length > 0) throw new SetupError(`still missing after apt-get: ${left.join(', ')}`, { remedy });
  return `installed ${absent.join(' ')}`;
}

/**
 * Downloads packages into a folder without installing them.
 *
 * @param {readonly string[]} names
 * @param {string} folder
 * @param {import('./progress.mjs').Activity} activity
 * @returns {Promise<string[]>} names of the files
 */
export async function downloadPackages(names, folder, activity) {
  // Otherwise apt-get downloads as a user who may not be able to write there.
  const command = ['apt-get', '-o', 'APT::Sandbox::User=root', 'download', ...names];
  const remedy = `apt-get update && apt-get download ${names.join(' ')}`;
  await withPackageLists(
    () => run(command, { cwd: folder, env: aptEnvironment(), remedy, onLine: activity }),
    activity,
  );
  return readdirSync(folder).filter((name) => name.endsWith('.deb'));
}

function aptEnvironment() {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
}

/**
 * Runs something that needs apt's package lists; when it fails it is tried again with fresh ones, because the lists may name
 * versions that the mirror no longer has.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {import('./progress.mjs').Activity} activity
 * @returns {Promise<T>}
 */
export async function withPackageLists(work, activity) {
  const update = () =>
    run(['apt-get', 'update', '-q'], { env: aptEnvironment(), remedy: 'apt-get update', onLine: activity });
  const listed = hasPackageLists();
  if (!listed) await update();
  try {
    return await work();
  } catch (error) {
    if (!listed) throw error;
    await update();
    return await work();
  }
}

/**
 * @param {readonly string[]} names
 * @returns {string[]}
 */
export function installCommand(names) {
  const quiet = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'quiet-services');
  const options = [`DPkg::Path=${[quiet, ...SYSTEM_PATH].join(delimiter)}`, 'DPkg::Lock::Timeout=300'];
  return [
    'apt-get',
    'install',
    '--yes',
    '--no-install-recommends',
    '--no-upgrade',
    ...options.flatMap((option) => ['-o', option]),
    ...names,
  ];
}

/** @param {Package} each */
function isPresent(each) {
  if (each.file !== undefined) return existsSync(each.file);
  return each.program !== undefined && findProgram(each.program) !== undefined;
}

/**
 * @param {string} program
 * @returns {string | undefined}
 */
function findProgram(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_PATH].filter((folder) =>
    folder.startsWith('/'),
  );
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}

function hasPackageLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => name.includes('_Packages'));
  } catch {
    return false;
  }
}

/**
 * Keeps a service that has just been installed from being started at the next boot, by either kind of init.
 *
 * @param {string} name
 */
async function disableService(name) {
  const commands = [
    ['update-rc.d', name, 'disable'],
    ['systemctl', 'disable', `${name}.service`],
  ];
  for (const command of commands) {
    if (findProgram(command[0] ?? '')) await run(command, { remedy: command.join(' ') });
  }
}
