// @ts-check
/**
 * The kernel of the guests in which `npm run test:vm` runs: Debian's own, downloaded as a package and never installed.
 *
 *     .hob/vm/kernel/vmlinux            the kernel, unpacked
 *     .hob/vm/kernel/busybox            the one program of the guest's first file system
 *     .hob/vm/kernel/modules/NNN-*.ko   kernel modules, in the order in which they can be loaded
 *     .hob/vm/kernel/made-from.json     what they were made from
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run, SetupError } from './command.mjs';
import { downloadPackages, guestPackages, installPackages, withPackageLists } from './debian-packages.mjs';
import { unpackKernel } from './kernel-image.mjs';
import { readModules, sortModules } from './kernel-modules.mjs';

/** Modules that a guest loads, with those that they depend on. Those that the kernel has built in are passed over. */
const guestModules = [
  ...['virtio_pci', 'virtio-rng', 'virtio_blk', 'crc32c_generic'],
  ...['9p', '9pnet_virtio', 'overlay', 'ext4'], // files: the host's, and the disk's
  ...['veth', 'bridge', 'br_netfilter', 'tun', 'dummy', 'ifb'], // what networks of containers are made of
  ...['nf_tables', 'nft_ct', 'nft_masq', 'nft_nat', 'nft_chain_nat', 'nft_redir', 'nft_reject_inet', 'nft_fib_inet'],
  ...['nft_limit', 'nft_log', 'nft_quota', 'nft_connlimit', 'nfnetlink_log'],
  ...['sch_tbf', 'sch_htb', 'sch_fq_codel', 'sch_ingress', 'cls_u32', 'cls_matchall', 'act_police', 'act_mirred'],
];

const IMAGE = 'linux-image-amd64';
const KERNEL = 'vmlinux';

/**
 * Where the guests' kernel is.
 *
 * @param {string} root the repository's top folder
 */
export function guestKernelFolder(root) {
  return join(root, '.hob', 'vm', 'kernel');
}

/**
 * Why `npm test` has no tests in guest kernels on this machine, or undefined when it has.
 *
 * @param {NodeJS.ProcessEnv} env
 */
export function whyNoGuests(env) {
  if (process.arch !== 'x64') return 'they are for x64';
  return env['HOB_SKIP_VM'] === '1' ? 'HOB_SKIP_VM=1' : undefined;
}

/**
 * Installs QEMU and downloads the kernel, unless they are there. What is there is not renewed: remove `.hob/vm` for that.
 *
 * @param {string} root the repository's top folder
 * @param {import('./progress.mjs').Activity} activity
 * @returns {Promise<string>} the kernel's version
 */
export async function prepareGuests(root, activity) {
  try {
    await installPackages(guestPackages, activity);
    return await prepareKernel(root, activity);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const remedy = `${error.remedy}\nor: HOB_SKIP_VM=1 npm test, which leaves out the tests in guest kernels`;
    throw new SetupError(error.message, { output: error.output, remedy });
  }
}

/**
 * @param {string} root
 * @param {import('./progress.mjs').Activity} activity
 */
async function prepareKernel(root, activity) {
  const folder = guestKernelFolder(root);
  const present = readStamp(folder);
  if (present !== undefined) return present;
  const parent = join(folder, '..');
  mkdirSync(parent, { recursive: true });
  const building = mkdtempSync(join(parent, 'building-'));
  try {
    const version = await unpack(building, activity);
    const made = join(building, 'made');
    mkdirSync(made);
    const unpacked = join(building, 'unpacked');
    select(unpacked, made, version);
    await unpackKernel(join(unpacked, 'boot', `vmlinuz-${version}`), join(made, KERNEL));
    writeFileSync(join(made, 'made-from.json'), JSON.stringify({ version, kernel: KERNEL, modules: guestModules }));
    rmSync(folder, { recursive: true, force: true });
    renameSync(made, folder);
    return `${version}, downloaded`;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @returns {string | undefined} the version, when the folder is whole and has the modules wanted now
 */
function readStamp(folder) {
  try {
    const stamp = JSON.parse(readFileSync(join(folder, 'made-from.json'), 'utf8'));
    const same = stamp.kernel === KERNEL && JSON.stringify(stamp.modules) === JSON.stringify(guestModules);
    return same ? stamp.version : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} building
 * @param {import('./progress.mjs').Activity} activity
 * @returns {Promise<string>} the kernel's version
 */
async function unpack(building, activity) {
  const command = ['apt-cache', 'depends', IMAGE];
  const name = await withPackageLists(async () => {
    const found = /Depends:\s+(linux-image-\S+)/.exec(await run(command, { remedy: 'apt-get update' }))?.[1];
    if (found !== undefined) return found;
    throw new SetupError(`${IMAGE} names no kernel`, { remedy: command.join(' ') });
  }, activity);
  activity(`downloading ${name}`);
  const downloads = join(building, 'downloads');
  mkdirSync(downloads);
  for (const file of await downloadPackages([name, 'busybox-static'], downloads, activity)) {
    activity(`unpacking ${file}`);
    await run(['dpkg-deb', '--extract', join(downloads, file), join(building, 'unpacked')], { remedy: 'df -h .' });
  }
  return name.slice('linux-image-'.length);
}

/**
 * @param {string} unpacked
 * @param {string} made
 * @param {string} version
 */
function select(unpacked, made, version) {
  const busybox = ['bin/busybox', 'usr/bin/busybox']
    .map((path) => join(unpacked, path))
    .find((path) => existsSync(path));
  if (busybox === undefined) throw new SetupError('busybox-static has no busybox', { remedy: 'apt-get update' });
  cpSync(busybox, join(made, 'busybox'));
  const tree = ['lib', 'usr/lib']
    .map((lib) => join(unpacked, lib, 'modules', version))
    .find((path) => existsSync(path));
  if (tree === undefined) throw new SetupError(`no modules for ${version}`, { remedy: 'apt-get update' });
  mkdirSync(join(made, 'modules'));
  for (const [index, file] of sortModules(readModules(tree), guestModules).entries()) {
    cpSync(file, join(made, 'modules', `${String(index).padStart(3, '0')}-${basename(file)}`));
  }
}
