// @ts-check
/** Kernel modules in the order in which they can be loaded. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SetupError } from './command.mjs';

/**
 * The modules of a kernel: files by name, and names that are built in. In names `_` and `-` are the same.
 *
 * @typedef {{ files: ReadonlyMap<string, string>, builtin: ReadonlySet<string> }} KernelModules
 */

/** @param {string} file */
const nameOf = (file) =>
  basename(file)
    .replace(/\.ko(?:\..*)?$/, '')
    .replaceAll('-', '_');

/**
 * @param {string} tree the folder `lib/modules/<version>`
 * @returns {KernelModules}
 */
export function readModules(tree) {
  const paths = readdirSync(tree, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ko'));
  const builtin = readFileSync(join(tree, 'modules.builtin'), 'utf8').split('\n').filter(Boolean);
  return {
    files: new Map(paths.map((path) => [nameOf(path), join(tree, path)])),
    builtin: new Set(builtin.map(nameOf)),
  };
}

/**
 * @param {KernelModules} modules
 * @param {readonly string[]} names
 * @returns {string[]} files of the named modules, each after those that it depends on
 * @throws {SetupError} when one is neither there nor built in
 */
export function sortModules(modules, names) {
  /** @type {Set<string>} */
  const sorted = new Set();
  /** @param {string} name */
  const add = (name) => {
    const file = modules.files.get(name.replaceAll('-', '_'));
    if (file === undefined && modules.builtin.has(name.replaceAll('-', '_'))) return;
    if (file === undefined) throw new SetupError(`this kernel has no module ${name}`, { remedy: 'apt-get update' });
    if (sorted.has(file)) return;
    for (const needed of dependencies(file)) add(needed);
    sorted.add(file);
  };
  for (const name of names) add(name);
  return [...sorted];
}

/**
 * What a module says of itself, in its section `.modinfo`: texts that end with NUL, one of them `depends=a,b`.
 *
 * @param {string} file
 */
function dependencies(file) {
  const text = readFileSync(file, 'latin1');
  return (/\0depends=([\w,-]*)\0/.exec(text)?.[1] ?? '').split(',').filter(Boolean);
}
