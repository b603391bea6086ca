import type { FunctionAlias } from './alias.ts';
import type { FunctionConfig } from './function-config.ts';

/** An immutable number of a function: one bundle and one configuration. */
export interface FunctionVersion {
  readonly name: string;
  /** Counted from 1 for each function name; never used twice, not even after `hob rm`. */
  readonly version: number;
  /** SHA-256 of the bundle, 64 hex digits. */
  readonly digest: string;
  readonly config: FunctionConfig;
  /** Size of the bundle's files together, bytes. */
  readonly bundleBytes: number;
  /** Whether the bundle has files beside its code and source map, so that /var/task must be mounted. */
  readonly hasAssets: boolean;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A function as `hob ls` shows it. */
export interface FunctionSummary {
  readonly name: string;
  /** The version that calls without `@…` get; the heaviest when there are several, none when none was ever made live. */
  readonly live: FunctionVersion | undefined;
  /** Every version that exists, ascending. */
  readonly versions: readonly number[];
  /** Sorted by name. */
  readonly aliases: readonly FunctionAlias[];
}

/** One file of a bundle. `path` is relative, with `/`, in its shortest form and never upwards. */
export interface BundleFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, 64 hex digits. */
  readonly sha256: string;
}

/** The list of a bundle's files, sorted by path. The digest of a bundle is the SHA-256 of this list; see `bundle-digest.ts`. */
export interface BundleManifest {
  readonly files: readonly BundleFile[];
}

/** The code's name in every bundle, and its source map's. */
export const BUNDLE_CODE = 'index.mjs';
export const BUNDLE_MAP = 'index.mjs.map';
/** The folder of a bundle's files, inside the folder that is named by its digest. */
export const BUNDLE_FILES_FOLDER = 'files';
/** The largest bundle, all files together, bytes. */
export const BUNDLE_BYTES_MAX = 256 * 1024 * 1024;
/** The most files in one bundle. */
export const BUNDLE_FILES_MAX = 10_000;
