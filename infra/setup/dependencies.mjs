// @ts-check
/** The npm dependencies: exactly those of package-lock.json, the pinned Node among them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, SetupError } from './command.mjs';

/** @typedef {{ version?: string, integrity?: string, link?: boolean, optional?: boolean, resolved?: string }} Entry */

/**
 * The absolute path of the pinned Node, which everything but the set-up itself runs in.
 *
 * @param {string} root
 */
export function pinnedNode(root) {
  return join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
}

/**
 * Why node_modules is not what package-lock.json says, or undefined when it is.
 *
 * npm writes what it has installed to node_modules/.package-lock.json when it has succeeded, so this sees an
 * interrupted installation as well as an old one.
 *
 * @param {string} root
 * @returns {string | undefined}
 */
export function dependenciesMismatch(root) {
  const wanted = readEntries(join(root, 'package-lock.json'));
  const present = readEntries(join(root, 'node_modules', '.package-lock.json'));
  if (!wanted) {
    throw new SetupError('package-lock.json is missing or broken', { remedy: 'git checkout package-lock.json' });
  }
  if (!present) return 'node_modules is missing or incomplete';
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes('node_modules/')) continue;
    const found = present[path];
    // An optional package may be for another kind of machine. The pinned Node is optional too, and checked by itself.
    if (!found && entry.optional) continue;
    if (!found || found.version !== entry.version || found.integrity !== entry.integrity)
      return `${path} is not current`;
    if (!existsSync(join(root, path))) return `${path} is missing`;
  }
  return existsSync(pinnedNode(root)) ? undefined : 'the pinned Node is missing';
}

/**
 * Installs the dependencies unless they are there.
 *
 * Not by `npm ci`: it refuses a lockfile that leaves out the optional packages of other systems (macOS, Windows, musl),
 * which npm does whenever its registry lacks one of them. `npm install --no-save` takes the same versions and checks
 * the same digests, changes neither package.json nor the lockfile, and what it made is compared with the lockfile here.
 *
 * @param {string} root
 * @param {import('./progress.mjs').Activity} activity
 */
export async function installDependencies(root, activity) {
  const mismatch = dependenciesMismatch(root);
  if (mismatch === undefined) return 'as in package-lock.json';
  activity(`npm install (${mismatch})`);
  const npm = process.env.npm_execpath;
  const program = npm?.endsWith('npm-cli.js') ? [process.execPath, npm] : ['npm'];
  // The build needs development dependencies even when NODE_ENV says production. Warnings are about Node 20, which
  // nothing but the set-up runs in.
  const options = ['--no-save', '--include=dev', '--include=optional', '--ignore-scripts', '--loglevel=error'];
  await run([...program, 'install', ...options], { cwd: root, remedy: 'npm install --no-save' });
  const left = dependenciesMismatch(root);
  if (left !== undefined) {
    throw new SetupError(`after npm install: ${left}`, { remedy: 'rm -r node_modules && npm install --no-save' });
  }
  return `installed (${mismatch})`;
}

/**
 * @param {string} file
 * @returns {Record<string, Entry> | undefined}
 */
function readEntries(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
