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
  { name: 'redis-server', program: 'redis-server' },
  { name: 'ca-certificates', file: '/etc/ssl/certs/ca-certificates.crt' },
  { name: 'tzdata', file: '/usr/share/zoneinfo/Etc/UTC' },
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
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  const update = () => run(['apt-get', 'update', '-q'], { env, remedy: 'apt-get update', onLine: activity });
  const install = () => run(installCommand(absent), { env, remedy, onLine: activity });

  const listed = hasPackageLists();
  if (!listed) await update();
  try {
    await install();
  } catch (error) {
    if (!listed) throw error;
    await update(); // the lists may name versions that the mirror no longer has
    await install();
  }
  if (absent.includes('redis-server')) await disableService('redis-server');
  const left = absentPackages(packages);
  if (left.length > 0) throw new SetupError(`still missing after apt-get: ${left.join(', ')}`, { remedy });
  return `installed ${absent.join(' ')}`;
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
