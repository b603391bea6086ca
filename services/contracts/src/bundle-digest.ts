import { createHash } from 'node:crypto';
import { fail } from './hob-error.ts';
import { describePathProblem } from './relative-path.ts';
import { BUNDLE_BYTES_MAX, BUNDLE_CODE, BUNDLE_FILES_MAX, type BundleFile, type BundleManifest } from './version.ts';

/** The longest path of a file in a bundle, and the longest name in it, bytes of UTF-8. */
export const BUNDLE_PATH_BYTES_MAX = 1024;
export const BUNDLE_NAME_BYTES_MAX = 255;

const sha256Hex = /^[0-9a-f]{64}$/;

/** Whether a value has the form of a bundle's digest. Check it before it becomes part of a path. */
export function isBundleDigest(value: unknown): value is string {
  return typeof value === 'string' && sha256Hex.test(value);
}

/**
 * The name of a bundle: SHA-256 over one entry `path NUL sha256 NUL bytes LF` for each file, sorted by path.
 *
 * @param manifest a checked manifest (its paths have no NUL and no LF, so that two lists never give the same bytes).
 * @returns 64 hex digits.
 */
export function bundleDigest(manifest: BundleManifest): string {
  const hash = createHash('sha256');
  for (const { path, sha256, bytes } of manifest.files.toSorted(byPath)) hash.update(`${path}\0${sha256}\0${bytes}\n`);
  return hash.digest('hex');
}

/**
 * Makes a manifest of what somebody sent.
 *
 * Names that differ only in case are two files, as they are on the file systems that hob runs on.
 *
 * @returns a copy, its files sorted by path, with nothing but what a manifest has.
 * @throws ERR_BUNDLE_INVALID naming the first problem, ERR_BUNDLE_TOO_LARGE
 */
export function checkManifest(value: unknown): BundleManifest {
  const files = isRecord(value) ? value['files'] : undefined;
  if (!Array.isArray(files)) throw invalid('the manifest has no list of files');
  if (files.length > BUNDLE_FILES_MAX) throw invalid(`${files.length} files, at most ${BUNDLE_FILES_MAX} are allowed`);
  const checked = files.map(checkFile).toSorted(byPath);
  let bytes = 0;
  for (const file of checked) bytes += file.bytes;
  if (bytes > BUNDLE_BYTES_MAX) throw fail('ERR_BUNDLE_TOO_LARGE', [BUNDLE_BYTES_MAX]);
  checkNames(checked);
  return { files: checked };
}

function checkFile(value: unknown, index: number): BundleFile {
  const place = `files[${index}]`;
  if (!isRecord(value)) throw invalid(`${place} is not an object`);
  const { path, bytes, sha256 } = value;
  if (typeof path !== 'string') throw invalid(`${place}.path is not a string`);
  const problem = describePathProblem(path) ?? describeLength(path);
  if (problem !== undefined) throw invalid(`${place}.path ${JSON.stringify(path.slice(0, 200))} ${problem}`);
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw invalid(`${place}.bytes is not a whole number of bytes`);
  }
  if (!isBundleDigest(sha256)) throw invalid(`${place}.sha256 is not 64 lower-case hex digits`);
  return { path, bytes, sha256 };
}

function describeLength(path: string): string | undefined {
  if (Buffer.byteLength(path) > BUNDLE_PATH_BYTES_MAX) return `is longer than ${BUNDLE_PATH_BYTES_MAX} bytes`;
  const long = path.split('/').some((name) => Buffer.byteLength(name) > BUNDLE_NAME_BYTES_MAX);
  return long ? `has a name longer than ${BUNDLE_NAME_BYTES_MAX} bytes` : undefined;
}

function checkNames(files: readonly BundleFile[]): void {
  const paths = new Set<string>();
  for (const { path } of files) {
    if (paths.has(path)) throw invalid(`${JSON.stringify(path)} is listed twice`);
    paths.add(path);
  }
  for (const { path } of files) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (paths.has(parent)) throw invalid(`${JSON.stringify(parent)} is a file and a folder at the same time`);
    }
  }
  if (!paths.has(BUNDLE_CODE)) throw invalid(`there is no ${BUNDLE_CODE}`);
}

/** The order of UTF-16 code units: the same for everybody, whatever the locale. */
function byPath(a: BundleFile, b: BundleFile): number {
  if (a.path === b.path) return 0;
  return a.path < b.path ? -1 : 1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(why: string): Error {
  return fail('ERR_BUNDLE_INVALID', [why]);
}
