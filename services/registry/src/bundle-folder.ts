import { createHash } from 'node:crypto';
import type * as fsPromises from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BUNDLE_FILES_FOLDER, type BundleFile, type BundleManifest, fail } from '@hob/contracts';

/** What of `node:fs/promises` the store needs, so that each of its steps can be made to fail. */
export type BundleFs = Pick<
  typeof fsPromises,
  'access' | 'chmod' | 'mkdir' | 'open' | 'readdir' | 'readFile' | 'rename' | 'rm' | 'stat'
>;

/** A file on its way into the store. */
export interface IncomingFile {
  readonly path: string;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Name of the list of a bundle's files, inside the bundle's folder. */
export const MANIFEST_FILE = 'manifest.json';

/**
 * Writes a bundle into an empty folder and brings it to the disk: `files/…` and `manifest.json`. Everything is readable
 * by everyone whatever the umask: containers have users of their own.
 *
 * @throws ERR_BUNDLE_INVALID when the files are not those of the manifest; errors of the disk and of `files` as they are.
 */
export async function writeBundle(
  fs: BundleFs,
  folder: string,
  manifest: BundleManifest,
  files: AsyncIterable<IncomingFile>,
): Promise<void> {
  const root = join(folder, BUNDLE_FILES_FOLDER);
  const folders = foldersOf(manifest).map((path) => join(root, path));
  for (const path of [root, ...folders]) {
    await fs.mkdir(path);
    await fs.chmod(path, 0o755);
  }
  const missing = new Map(manifest.files.map((file) => [file.path, file]));
  for await (const { path, content } of files) {
    const expected = missing.get(path);
    if (expected === undefined) throw unexpected(path, manifest);
    missing.delete(path);
    await writeChecked(fs, join(root, path), expected, content);
  }
  refuseMissing(missing);
  const list = Buffer.from(JSON.stringify(manifest));
  await writeDurably(fs, join(folder, MANIFEST_FILE), async (write) => await write(list));
  for (const path of [...folders.toReversed(), root, folder]) await syncFolder(fs, path);
}

/** Reads files to their end, and checks that their names are the manifest's. @throws ERR_BUNDLE_INVALID */
export async function drainFiles(manifest: BundleManifest, files: AsyncIterable<IncomingFile>): Promise<void> {
  const missing = new Map(manifest.files.map((file) => [file.path, file]));
  for await (const { path, content } of files) {
    const expected = missing.get(path);
    if (expected === undefined) throw unexpected(path, manifest);
    missing.delete(path);
    let bytes = 0;
    for await (const chunk of content) {
      bytes += chunk.byteLength;
      if (bytes > expected.bytes) throw wrongContent(expected);
    }
  }
  refuseMissing(missing);
}

/** Makes a rename in a folder survive a power cut. */
export async function syncFolder(fs: BundleFs, folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Every folder that the files are in, parents first. */
export function foldersOf(manifest: BundleManifest): string[] {
  const folders = new Set<string>();
  for (const { path } of manifest.files) {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) folders.add(parent);
  }
  // A parent is a prefix of what is in it, so it sorts first.
  return [...folders].sort((a, b) => (a < b ? -1 : 1));
}

async function writeChecked(
  fs: BundleFs,
  path: string,
  expected: BundleFile,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  await writeDurably(fs, path, async (write) => {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of content) {
      bytes += chunk.byteLength;
      if (bytes > expected.bytes) throw wrongContent(expected);
      hash.update(chunk);
      await write(chunk);
    }
    if (bytes !== expected.bytes || hash.digest('hex') !== expected.sha256) throw wrongContent(expected);
  });
}

/** Makes a new file, lets it be written, and brings it to the disk. */
async function writeDurably(
  fs: BundleFs,
  path: string,
  fill: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const handle = await fs.open(path, 'wx', 0o644);
  try {
    await fill((chunk) => handle.writeFile(chunk));
    await handle.chmod(0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function refuseMissing(missing: ReadonlyMap<string, BundleFile>): void {
  const [first] = missing.keys();
  if (first !== undefined) throw invalid(`the content of ${JSON.stringify(first)} is missing`);
}

function unexpected(path: string, manifest: BundleManifest): Error {
  const listed = manifest.files.some((file) => file.path === path);
  return invalid(`${JSON.stringify(path.slice(0, 200))} ${listed ? 'came twice' : 'is not in the manifest'}`);
}

function wrongContent({ path }: BundleFile): Error {
  return invalid(`the content of ${JSON.stringify(path)} is not what the manifest says`);
}

function invalid(why: string): Error {
  return fail('ERR_BUNDLE_INVALID', [why]);
}
