/** Writing a tree, and proving that what was written is safe to show to hostile code. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { chmod, chown, copyFile, lchown, lstat, mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RootfsManifest } from './manifest.ts';
import type { Copy } from './plan.ts';

const FOLDER_MODE = 0o755;
/** setuid, setgid, sticky, and write for anybody but the owner. */
const FORBIDDEN_MODE = 0o7022;

/**
 * Writes the whole tree into an empty folder.
 *
 * @param top the folder that becomes / inside
 */
export async function writeTree(top: string, manifest: RootfsManifest, copies: readonly Copy[]): Promise<void> {
  for (const folder of manifest.folders) await makeFolder(top, folder);
  for (const copy of copies) {
    await makeFolder(top, dirname(copy.target));
    const path = join(top, copy.target);
    // Always bytes of its own: with a hard link a change of the host's file would change this one.
    await copyFile(copy.source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await settle(path, copy.mode);
  }
  for (const [target, text] of Object.entries(manifest.texts)) {
    await makeFolder(top, dirname(target));
    await writeFile(join(top, target), text, { flag: 'wx' });
    await settle(join(top, target), 0o644);
  }
  for (const [target, to] of Object.entries(manifest.links)) {
    await makeFolder(top, dirname(target));
    await symlink(to, join(top, target));
    await lchown(join(top, target), 0, 0);
  }
}

async function makeFolder(top: string, folder: string): Promise<void> {
  let path = top;
  for (const name of folder.split('/').filter((part) => part !== '')) {
    path = join(path, name);
    await mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await settle(path, FOLDER_MODE);
  }
}

/** Owner and mode whatever the umask, and whatever an inherited group or access list says. */
async function settle(path: string, mode: number): Promise<void> {
  await chown(path, 0, 0);
  await chmod(path, mode);
}

/** What a tree holds. */
export interface TreeAccount {
  /** SHA-256 of every path, mode, link target and content, 64 hex digits. */
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Reads a tree back, refusing whatever must not be in a container's root.
 *
 * @throws Error naming an entry that is not owned by root, has a setuid bit or a second name, can be written by
 *   others, is no file, folder or link, or is a link that leads out of the tree
 */
export async function checkTree(top: string): Promise<TreeAccount> {
  const hash = createHash('sha256');
  let files = 0;
  let bytes = 0;
  for (const path of await entriesBelow(top)) {
    const inside = `/${relative(top, path)}`;
    const stat = await lstat(path);
    const refuse = (why: string): never => {
      throw new Error(`${inside} ${why}`);
    };
    if (stat.uid !== 0 || stat.gid !== 0) refuse('is not owned by root');
    hash.update(`${inside}\0${stat.mode.toString(8)}\0`);
    if (stat.isSymbolicLink()) {
      const to = await readlink(path);
      const reached = to.startsWith('/') ? join(top, normalize(to)) : resolve(dirname(path), to);
      if (relative(top, reached).startsWith('..')) refuse(`is a link that leads out, to ${to}`);
      hash.update(`${to}\0`);
      continue;
    }
    if ((stat.mode & FORBIDDEN_MODE) !== 0) refuse(`has mode ${(stat.mode & 0o7777).toString(8)}`);
    if (stat.isDirectory()) continue;
    if (!stat.isFile()) refuse('is neither file nor folder nor link');
    if (stat.nlink !== 1) refuse('has a second name outside the tree or in it');
    files += 1;
    bytes += stat.size;
    hash.update(await contentDigest(path));
  }
  return { digest: hash.digest('hex'), files, bytes };
}

/** Sorted, links not followed: `readdir` with `recursive` would walk through them. */
async function entriesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).toSorted(byName)) {
    const path = join(folder, entry.name);
    found.push(path);
    if (entry.isDirectory()) found.push(...(await entriesBelow(path)));
  }
  return found;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

async function contentDigest(path: string): Promise<Buffer> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest();
}
