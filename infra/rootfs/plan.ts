/** The manifest made concrete on this host: which file is copied where, and whether anything has changed since. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { librariesBesideLibc, librariesOf, libraryTarget } from './libraries.ts';
import type { RootfsManifest } from './manifest.ts';

/** One file to copy. */
export interface Copy {
  /** Absolute path on the host; links are followed. */
  readonly source: string;
  /** Absolute path inside the tree. */
  readonly target: string;
  readonly mode: 0o644 | 0o755;
}

/**
 * Every copy that the manifest asks for, sorted by target.
 *
 * @throws Error when a program, a file or a library that the manifest needs is not on the host
 */
export async function planCopies(manifest: RootfsManifest): Promise<Copy[]> {
  const copies = new Map<string, Copy>();
  const add = (source: string, target: string, mode: Copy['mode']): void => {
    copies.set(target, { source, target, mode });
  };
  for (const program of manifest.programs) add(program, program, 0o755);
  for (const [target, source] of Object.entries(manifest.renamedPrograms)) add(source, target, 0o755);
  const linked = await librariesOf([...copies.values()].map((copy) => copy.source));
  const opened = librariesBesideLibc(manifest.libraries, linked);
  const ofOpened = await librariesOf(opened);
  for (const library of [...linked, ...opened, ...ofOpened]) add(library, libraryTarget(library), 0o755);
  for (const file of manifest.files) add(file, file, 0o644);
  for (const tree of manifest.trees) for (const file of filesBelow(tree)) add(file, file, 0o644);
  return [...copies.values()].toSorted((a, b) => (a.target < b.target ? -1 : 1));
}

function filesBelow(tree: RootfsManifest['trees'][number]): string[] {
  const found: string[] = [];
  const visit = (folder: string, except: readonly string[]): void => {
    for (const name of readdirSync(folder)) {
      if (except.includes(name)) continue;
      const path = join(folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) visit(path, []);
      else if (stat?.isFile()) found.push(path);
    }
  };
  visit(tree.path, tree.except);
  return found;
}

/**
 * A digest that changes when the manifest, the builder or any file of the host that was copied changes: a new libc, for
 * instance. Files are compared by size and time, not by content, so that this takes milliseconds.
 *
 * @param definition text of everything that decides what the tree looks like beside the host's files
 * @param sources absolute paths on the host
 * @returns 64 hex digits
 */
export function fingerprint(definition: string, sources: readonly string[]): string {
  const hash = createHash('sha256').update(definition);
  for (const source of sources) {
    const stat = statSync(source, { bigint: true, throwIfNoEntry: false });
    hash.update(`\n${source}\0${stat ? `${stat.size} ${stat.mtimeNs}` : 'absent'}`);
  }
  return hash.digest('hex');
}

/** Files and folders of the host that the plan was made from: a file added to a folder shows in the folder's time. */
export function watchedSources(manifest: RootfsManifest, copies: readonly Copy[]): string[] {
  return [...new Set([...copies.map((copy) => copy.source), ...manifest.trees.map((tree) => tree.path)])];
}
