import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import {
  BUNDLE_CODE,
  BUNDLE_FILES_FOLDER,
  bundleDigest,
  type BundleFile,
  type BundleManifest,
  checkManifest,
} from '@hob/contracts';
import { type BundleFs, foldersOf, MANIFEST_FILE, syncFolder } from './bundle-folder.ts';

/** A bundle's list of files. @returns undefined when it is not the one that the digest was made of. */
export async function readManifest(fs: BundleFs, folder: string, digest: string): Promise<BundleManifest | undefined> {
  const path = join(folder, MANIFEST_FILE);
  const text = (await sizeOf(fs, path)) === undefined ? '' : await fs.readFile(path, 'utf8');
  try {
    const manifest = checkManifest(JSON.parse(text));
    return bundleDigest(manifest) === digest ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** Paths below a bundle's folder that are not what was deployed: every byte is read. */
export async function damagedPaths(fs: BundleFs, folder: string, manifest: BundleManifest): Promise<string[]> {
  const damaged: string[] = [];
  for (const file of manifest.files) {
    const path = join(BUNDLE_FILES_FOLDER, file.path);
    if (!(await isIntact(fs, join(folder, path), file))) damaged.push(path);
  }
  const list = await fs.readFile(join(folder, MANIFEST_FILE), 'utf8').catch(() => undefined);
  if (list !== JSON.stringify(manifest)) damaged.push(MANIFEST_FILE);
  return damaged;
}

/**
 * Looks at what a function is to be loaded from, without reading it again: its code by the digest, other files by their size.
 *
 * @param code what was read of the code; undefined when it is missing.
 * @returns what is wrong; undefined when nothing is.
 */
export async function damageAtLoad(
  fs: BundleFs,
  folder: string,
  manifest: BundleManifest,
  code: Uint8Array | undefined,
): Promise<string | undefined> {
  for (const file of manifest.files) {
    const isRight =
      file.path === BUNDLE_CODE
        ? code !== undefined && createHash('sha256').update(code).digest('hex') === file.sha256
        : (await sizeOf(fs, join(folder, BUNDLE_FILES_FOLDER, file.path))) === file.bytes;
    if (!isRight) return `${JSON.stringify(file.path)} is not what was deployed`;
  }
  return undefined;
}

/**
 * Puts the damaged files of a bundle in order, one by one, so that containers that have the folder mounted keep it.
 *
 * @param source folder of the same bundle, whole; files are moved out of it.
 */
export async function repair(fs: BundleFs, folder: string, manifest: BundleManifest, source: string): Promise<void> {
  const damaged = await damagedPaths(fs, folder, manifest);
  if (damaged.length === 0) return;
  const folders = [BUNDLE_FILES_FOLDER, ...foldersOf(manifest).map((path) => join(BUNDLE_FILES_FOLDER, path))];
  for (const path of folders) {
    await fs.mkdir(join(folder, path), { recursive: true });
    await fs.chmod(join(folder, path), 0o755);
  }
  for (const path of damaged) {
    // A file in its place could be renamed over; whatever else it may be now cannot.
    await fs.rm(join(folder, path), { recursive: true, force: true });
    await fs.rename(join(source, path), join(folder, path));
  }
  for (const path of new Set(damaged.map((file) => dirname(file)))) await syncFolder(fs, join(folder, path));
}

async function isIntact(fs: BundleFs, path: string, { bytes, sha256 }: BundleFile): Promise<boolean> {
  try {
    if ((await sizeOf(fs, path)) !== bytes) return false;
    const hash = createHash('sha256');
    const handle = await fs.open(path, 'r');
    for await (const chunk of handle.createReadStream()) hash.update(chunk as Uint8Array);
    return hash.digest('hex') === sha256;
  } catch {
    // What cannot be read is as good as lost.
    return false;
  }
}

/** @returns undefined when it is missing. */
async function sizeOf(fs: BundleFs, path: string): Promise<number | undefined> {
  try {
    return (await fs.stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
