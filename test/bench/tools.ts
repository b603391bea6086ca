import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** What the bench installs: nothing of it reaches the system or package.json. */
const cache = join(import.meta.dirname, '../../.hob/bench');
const debian = join(cache, 'debian');
const folders = ['usr/local/sbin', 'usr/local/bin', 'usr/sbin', 'usr/bin', 'sbin', 'bin'];

/** Where programs are looked for: first what the bench unpacked. */
const PATH = [debian, '/'].flatMap((root) => folders.map((folder) => join(root, folder))).join(':');

/** Where the unpacked programs find the libraries that were unpacked with them. */
const LD_LIBRARY_PATH = ['usr/lib', 'lib']
  .flatMap((folder) => ['x86_64', 'aarch64'].map((machine) => join(debian, folder, `${machine}-linux-gnu`)))
  .join(':');

/**
 * The environment of a peer: NODE_EXTRA_CA_CERTS and its like would cost it tens of milliseconds at each start.
 */
export const peerEnvironment = { PATH, LD_LIBRARY_PATH } as const;

/** Why a peer or a tool is not there. */
export interface Missing {
  readonly missing: string;
}

/** Absolute path of a program, or undefined. */
function findProgram(name: string): string | undefined {
  return PATH.split(':')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/**
 * A program. When it is missing, its Debian package and what that needs are unpacked into the bench's own folder: no
 * service starts, and the system stays as it is.
 *
 * @param debianPackage the one that brings it.
 */
export async function needProgram(name: string, debianPackage = name): Promise<Missing | { path: string }> {
  const found = findProgram(name);
  if (found !== undefined) return { path: found };
  process.stderr.write(`fetching ${debianPackage} …\n`);
  try {
    await unpack(debianPackage).catch(async () => {
      await execa('apt-get', ['--quiet', 'update']);
      await unpack(debianPackage);
    });
  } catch (error) {
    return missingFor(error);
  }
  const unpacked = findProgram(name);
  return unpacked === undefined ? { missing: `${debianPackage} brings no ${name}` } : { path: unpacked };
}

async function unpack(debianPackage: string): Promise<void> {
  const archives = join(debian, 'archives');
  await mkdir(archives, { recursive: true });
  // What would be installed with it: what it needs and this system has not.
  const { stdout } = await execa('apt-get', ['--simulate', '--no-install-recommends', 'install', debianPackage]);
  const packages = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, each = '']) => each);
  // Otherwise apt-get downloads as a user who may not be able to write there.
  const sandbox = ['-o', 'APT::Sandbox::User=root'];
  await execa('apt-get', ['--quiet', ...sandbox, 'download', ...packages], { cwd: archives });
  for (const archive of readdirSync(archives)) await execa('dpkg', ['--extract', join(archives, archive), debian]);
}

/** What is being installed, or was: several of one peer start at the same time. */
const packages = new Map<string, Promise<Missing | { folder: string }>>();

/** The folder that an npm package is installed in, with its dependencies, beside its `node_modules`. */
export function needPackage(name: string, version: string): Promise<Missing | { folder: string }> {
  const spec = `${name}@${version}`;
  const known = packages.get(spec);
  if (known !== undefined) return known;
  const needed = install(spec, join(cache, 'npm', `${name.replace('/', '-')}-${version}`));
  packages.set(spec, needed);
  return needed;
}

async function install(spec: string, folder: string): Promise<Missing | { folder: string }> {
  if (existsSync(folder)) return { folder };
  process.stderr.write(`fetching ${spec} …\n`);
  // Complete, or not there at all: what an interrupted install leaves is not taken for the package.
  const partial = `${folder}.partial`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await writeFile(join(partial, 'package.json'), '{ "private": true }\n');
    await execa('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', spec], { cwd: partial });
    await rename(partial, folder);
    return { folder };
  } catch (error) {
    return missingFor(error);
  }
}

/** The last line that a program said, or the error's own. */
export function missingFor(error: unknown): Missing {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trimEnd().split('\n').at(-1) : '';
  return { missing: said || (error instanceof Error ? error.message.split('\n')[0] : undefined) || String(error) };
}

/** First line of what `program --version` (or `-v`) prints. */
export function versionOf(program: string, flag = '--version'): string {
  const { stdout } = spawnSync(program, [flag], { env: peerEnvironment, encoding: 'utf8' });
  return stdout.split('\n')[0]?.trim() ?? '';
}
