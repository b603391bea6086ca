/**
 * The folder of built trees:
 *
 *     .hob/rootfs/<digest>/       a tree
 *     .hob/rootfs/<digest>.json   what it was made from
 *     .hob/rootfs/current         link to the tree that new containers get
 *
 * A tree appears whole or not at all: it is built beside its place and renamed.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RootfsManifest } from './manifest.ts';
import { fingerprint, planCopies, watchedSources } from './plan.ts';
import { checkTree, type TreeAccount, writeTree } from './tree.ts';

const BUILDING = 'building-';
const DIGEST_CHARS = 32;

interface Stamp {
  readonly fingerprint: string;
  readonly sources: readonly string[];
}

/** What `bringUpToDate` found or did. */
export interface RootfsState {
  /** Absolute path of the current tree. */
  readonly path: string;
  /** What was built, or undefined when the tree was current. */
  readonly built: TreeAccount | undefined;
  /** Old trees that could not be removed, because something still uses them. */
  readonly inUse: readonly string[];
}

/**
 * Builds the tree when there is none for the manifest and this host, and removes old ones.
 *
 * @param folder absolute path of the folder of trees; made when absent
 * @param definition text that changes whenever the builder does
 * @throws Error when something of the manifest is missing; nothing is left of the failed tree
 */
export async function bringUpToDate(
  folder: string,
  manifest: RootfsManifest,
  definition: string,
): Promise<RootfsState> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const text = JSON.stringify([definition, manifest]);
  const current = await readlink(join(folder, 'current')).catch(() => undefined);
  if (current !== undefined && isCurrent(folder, current, text)) {
    return { path: join(folder, current), built: undefined, inUse: [] };
  }
  const { name, account } = await build(folder, manifest, text);
  await pointTo(folder, name);
  // The predecessor stays: a hob that is running may still make containers from it.
  const keep = new Set([name, current]);
  const inUse = await removeOthers(folder, keep);
  return { path: join(folder, name), built: account, inUse };
}

function isCurrent(folder: string, name: string, definition: string): boolean {
  try {
    const stamp: Stamp = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
    return existsSync(join(folder, name)) && stamp.fingerprint === fingerprint(definition, stamp.sources);
  } catch {
    return false;
  }
}

interface Built {
  readonly name: string;
  readonly account: TreeAccount;
}

async function build(folder: string, manifest: RootfsManifest, definition: string): Promise<Built> {
  const building = await mkdtemp(join(folder, BUILDING));
  try {
    const copies = await planCopies(manifest);
    const sources = watchedSources(manifest, copies);
    const mark = fingerprint(definition, sources);
    const top = join(building, 'tree');
    await mkdir(top, { mode: 0o755 });
    await writeTree(top, manifest, copies);
    const account = await checkTree(top);
    const name = account.digest.slice(0, DIGEST_CHARS);
    if (mark !== fingerprint(definition, sources)) throw new Error("the host's files changed meanwhile; try again");
    // On disk before it has its name: a crash must not leave a tree of empty files.
    await promisify(execFile)('sync', ['-f', top]);
    if (!existsSync(join(folder, name))) await rename(top, join(folder, name));
    await replaceFile(join(folder, `${name}.json`), JSON.stringify({ fingerprint: mark, sources } satisfies Stamp));
    return { name, account };
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}

async function pointTo(folder: string, name: string): Promise<void> {
  const temporary = join(folder, `current.${process.pid}`);
  await rm(temporary, { force: true });
  await symlink(name, temporary);
  await rename(temporary, join(folder, 'current'));
}

async function removeOthers(folder: string, keep: ReadonlySet<string | undefined>): Promise<string[]> {
  const inUse: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || keep.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.name.startsWith(BUILDING) && (await isRecent(path))) continue;
    if (await isInUse(entry.name)) {
      inUse.push(path);
      continue;
    }
    await rm(`${path}.json`, { force: true });
    await rm(path, { recursive: true });
  }
  return inUse;
}

/** Another set-up may be building in it at this moment. */
async function isRecent(path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path);
  return Date.now() - mtimeMs < 3_600_000;
}

/**
 * Whether any process runs a program of a tree, or sees a mount of it or below it. Removing such a tree would pull the
 * root from under a container, or would go through the mount into something else.
 *
 * @param name the tree's own name, which is as good as unique
 */
async function isInUse(name: string): Promise<boolean> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // The process may have ended meanwhile; threads of the kernel have no program.
    const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
    const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
    if (`${mounts}\n${program}`.includes(`/${name}`)) return true;
  }
  return false;
}
