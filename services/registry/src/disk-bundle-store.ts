import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import * as fsPromises from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  BUNDLE_FILES_FOLDER,
  bundleDigest,
  type BundleManifest,
  type BundleStore,
  checkManifest,
  fail,
  isBundleDigest,
  storageError,
} from '@hob/contracts';
import { type BundleFs, drainFiles, type IncomingFile, syncFolder, writeBundle } from './bundle-folder.ts';
import { damageAtLoad, damagedPaths, readManifest, repair } from './bundle-damage.ts';

/** Folders that are being made or removed start with a dot; no digest does. */
const TEMPORARY = '.tmp-';

const WRONG_MANIFEST = 'its manifest is not what was deployed';

/**
 * Bundles in a folder, each in a folder named by its digest: `<digest>/manifest.json` and `<digest>/files/…`. A bundle comes
 * into being, and goes, by one rename, so whatever has a digest for a name was complete. What the disk or somebody has damaged since,
 * `add` of the same content repairs. One process uses the folder at a time.
 *
 * A bundle that was just added belongs to no function yet. So that it is not removed before it does, `add` keeps it until
 * `release` is called for it.
 */
export class DiskBundleStore implements BundleStore {
  readonly #folder: string;
  readonly #fs: BundleFs;
  /** How many want a bundle to stay, by digest. */
  readonly #keepers = new Map<string, number>();
  /** Ends when no bundle is in place that may yet have to be moved back. Never rejects. */
  #settling: Promise<void> = Promise.resolve();

  private constructor(folder: string, fs: BundleFs) {
    this.#folder = resolve(folder);
    this.#fs = fs;
  }

  /**
   * Opens a folder, made when missing, and removes what a killed process left half done in it.
   *
   * @param fs for tests: the file system.
   */
  static async open(folder: string, fs: BundleFs = fsPromises): Promise<DiskBundleStore> {
    const store = new DiskBundleStore(folder, fs);
    await fs.mkdir(store.#folder, { recursive: true, mode: 0o700 });
    for (const name of await fs.readdir(store.#folder)) {
      if (name.startsWith(TEMPORARY)) await fs.rm(join(store.#folder, name), { recursive: true, force: true });
    }
    return store;
  }

  /** See BundleStore; also ERR_STORAGE_FULL and ERR_STORAGE_FAILED. Errors of `files` come out as they are. */
  async add(manifest: BundleManifest, files: AsyncIterable<IncomingFile>): Promise<string> {
    const checked = checkManifest(manifest);
    const digest = bundleDigest(checked);
    this.keep(digest);
    try {
      if (await this.#isWhole(digest, checked)) await drainFiles(checked, files);
      else await this.#make(digest, checked, files);
      return digest;
    } catch (error) {
      this.release(digest);
      throw storageError(error, 'the bundle');
    }
  }

  async has(digest: string): Promise<boolean> {
    if (!isBundleDigest(digest)) return false;
    await this.#settling;
    return await this.#isInPlace(digest);
  }

  /** Absolute path of a bundle's files. @throws ERR_BUNDLE_INVALID when it is not the form of a digest. */
  folder(digest: string): string {
    return join(this.#place(digest), BUNDLE_FILES_FOLDER);
  }

  /** The list of a bundle's files. @throws ERR_BUNDLE_INVALID when the bundle is not in the store, ERR_BUNDLE_DAMAGED */
  async manifest(digest: string): Promise<BundleManifest> {
    const place = this.#place(digest);
    if (!(await this.has(digest))) throw fail('ERR_BUNDLE_INVALID', [`there is no bundle ${digest}`]);
    const manifest = await readManifest(this.#fs, place, digest);
    if (manifest === undefined) throw fail('ERR_BUNDLE_DAMAGED', [`bundle ${digest}`, WRONG_MANIFEST]);
    return manifest;
  }

  /**
   * Looks whether a function can be loaded from a bundle: its code and manifest are checked by their digests, its other files by their size.
   *
   * @param code what was read of the code; undefined when it is missing.
   * @returns what is wrong; undefined when nothing is.
   */
  async findDamage(digest: string, code: Uint8Array | undefined): Promise<string | undefined> {
    const place = this.#place(digest);
    await this.#settling;
    const manifest = await readManifest(this.#fs, place, digest);
    return manifest === undefined ? WRONG_MANIFEST : await damageAtLoad(this.#fs, place, manifest, code);
  }

  /** Every bundle that is in the store now. */
  async digests(): Promise<string[]> {
    return (await this.#fs.readdir(this.#folder)).filter(isBundleDigest);
  }

  /** Keeps a bundle from being removed, until `release` is called as often as this. */
  keep(digest: string): void {
    this.#keepers.set(digest, (this.#keepers.get(digest) ?? 0) + 1);
  }

  /** Undoes one `keep`, or the one of an `add`. More calls than that do nothing. */
  release(digest: string): void {
    const others = (this.#keepers.get(digest) ?? 0) - 1;
    if (others > 0) this.#keepers.set(digest, others);
    else this.#keepers.delete(digest);
  }

  /**
   * Removes a bundle that nobody keeps. From the call on, not from its result on, the bundle is no longer in the store.
   *
   * @returns false when somebody keeps it or it is not in the store.
   */
  async remove(digest: string): Promise<boolean> {
    if (this.#keepers.has(digest)) return false;
    const doomed = this.#temporary();
    try {
      // Not a moment between the look at the keepers and the rename.
      renameSync(this.#place(digest), doomed);
    } catch {
      return false;
    }
    await this.#fs.rm(doomed, { recursive: true, force: true });
    return true;
  }

  async #make(digest: string, manifest: BundleManifest, files: AsyncIterable<IncomingFile>): Promise<void> {
    const temporary = this.#temporary();
    try {
      await this.#fs.mkdir(temporary, { mode: 0o755 });
      await writeBundle(this.#fs, temporary, manifest, files);
      // One after the other: whoever looks for a bundle waits until it is known whether one stays.
      const settling = this.#settling.then(() => this.#settle(digest, temporary, manifest));
      this.#settling = settling.catch(() => {});
      await settling;
    } finally {
      await this.#fs.rm(temporary, { recursive: true, force: true });
    }
  }

  /** Moves a complete bundle into place for good, or what is damaged of the one there; when that cannot be made sure, moves it back. */
  async #settle(digest: string, temporary: string, manifest: BundleManifest): Promise<void> {
    if (await this.#isInPlace(digest)) return await repair(this.#fs, this.#place(digest), manifest, temporary);
    await this.#fs.rename(temporary, this.#place(digest));
    try {
      await syncFolder(this.#fs, this.#folder);
    } catch (error) {
      await this.#fs.rename(this.#place(digest), temporary);
      throw error;
    }
  }

  async #isWhole(digest: string, manifest: BundleManifest): Promise<boolean> {
    if (!(await this.has(digest))) return false;
    return (await damagedPaths(this.#fs, this.#place(digest), manifest)).length === 0;
  }

  async #isInPlace(digest: string): Promise<boolean> {
    return await this.#fs.access(this.#place(digest)).then(
      () => true,
      () => false,
    );
  }

  #temporary(): string {
    return join(this.#folder, `${TEMPORARY}${randomUUID()}`);
  }

  #place(digest: string): string {
    if (!isBundleDigest(digest)) throw fail('ERR_BUNDLE_INVALID', ['not the digest of a bundle']);
    return join(this.#folder, digest);
  }
}
