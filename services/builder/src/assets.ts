import { glob, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BUNDLE_BYTES_MAX, BUNDLE_FILES_MAX, fail } from '@hob/contracts';
import { isInside } from './paths.ts';

/**
 * Finds the files that `assets` of hob.json names: files, folders with all that is in them, and globs.
 *
 * @param root the function's folder, without symbolic links in its path.
 * @returns path in the bundle → absolute path of the file to copy, without symbolic links.
 * @throws ERR_BUILD_FAILED for a pattern that matches nothing, a link that leaves the folder or leads in a circle, and
 *   what is neither a file nor a folder; ERR_BUNDLE_TOO_LARGE.
 */
export async function collectAssets(root: string, patterns: readonly string[]): Promise<Map<string, string>> {
  const collection: Collection = { root, found: new Map(), bytes: 0 };
  for (const pattern of patterns) {
    const names = await matches(root, pattern);
    if (names.length === 0) throw refuse(pattern, 'matches nothing');
    for (const name of names) await collect(collection, name, []);
  }
  return collection.found;
}

/** The names that a pattern means. A file whose name looks like a glob is meant itself. */
async function matches(root: string, pattern: string): Promise<string[]> {
  const literal = await lstat(join(root, pattern)).catch(() => undefined);
  if (literal !== undefined) return [pattern];
  const names: string[] = [];
  for await (const name of glob(pattern, { cwd: root })) names.push(name);
  return names;
}

interface Collection {
  readonly root: string;
  readonly found: Map<string, string>;
  bytes: number;
}

/** @param around the folders that the name is in, without symbolic links: a link to one of them is a circle. */
async function collect(collection: Collection, name: string, around: readonly string[]): Promise<void> {
  const { root, found } = collection;
  const path = await realpath(join(root, name)).catch((cause: unknown) => {
    throw refuse(name, 'is a link to nothing', cause);
  });
  if (!isInside(root, path)) throw refuse(name, "is a link that leaves the function's folder");
  const kind = await stat(path);
  if (kind.isDirectory()) {
    if (around.includes(path)) throw refuse(name, 'is a link to a folder that it is in');
    for (const child of await readdir(path)) await collect(collection, `${name}/${child}`, [...around, path]);
    return;
  }
  if (!kind.isFile()) throw refuse(name, 'is neither a file nor a folder');
  if (!found.has(name)) collection.bytes += kind.size;
  found.set(name, path);
  if (found.size > BUNDLE_FILES_MAX) throw refuse(name, `is one of more than ${BUNDLE_FILES_MAX} files`);
  if (collection.bytes > BUNDLE_BYTES_MAX) throw fail('ERR_BUNDLE_TOO_LARGE', [BUNDLE_BYTES_MAX]);
}

function refuse(name: string, problem: string, cause?: unknown): Error {
  return fail('ERR_BUILD_FAILED', [`assets: "${name}" ${problem}`], { cause });
}
