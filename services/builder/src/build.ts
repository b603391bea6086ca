import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleDigest, type BundleManifest, checkManifest, fail, type FunctionConfig } from '@hob/contracts';
import { collectAssets } from './assets.ts';
import { bundleCode } from './code-bundle.ts';
import { OutputFolder } from './output-folder.ts';
import { isInside } from './paths.ts';

export interface BuildOptions {
  /** Colours in error reports and warnings. Default: none. */
  readonly colour?: boolean;
}

/** A bundle in a temporary folder, which is removed when this is disposed. */
export interface BuiltBundle extends AsyncDisposable {
  readonly manifest: BundleManifest;
  readonly digest: string;
  /** Absolute path; it has the manifest's files and nothing else. */
  readonly folder: string;
  /** Names that the code exports. */
  readonly exports: readonly string[];
  /** What esbuild finds strange, each with its file and line. */
  readonly warnings: readonly string[];
  /** The manifest's files, as a bundle store takes them. */
  files(): AsyncIterable<{ readonly path: string; readonly content: AsyncIterable<Uint8Array> }>;
}

/**
 * Makes a bundle of a function's folder: its entry with all that it imports as one file, the source map, the files that it
 * imports but that are no code, and its assets. Equal input gives an equal digest, wherever the folder is.
 *
 * @param folder where hob.json is.
 * @returns the bundle, which the caller disposes.
 * @throws ERR_BUILD_ENTRY_NOT_FOUND; ERR_BUILD_FAILED with a report of every problem; ERR_BUNDLE_INVALID and
 *   ERR_BUNDLE_TOO_LARGE when no store would take the result. After an error nothing is left.
 */
export async function build(folder: string, config: FunctionConfig, options: BuildOptions = {}): Promise<BuiltBundle> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw fail('ERR_BUILD_ENTRY_NOT_FOUND', [config.entry], { cause });
  });
  await refuseMissingEntry(root, config.entry);
  const code = await bundleCode(root, config, options.colour ?? false);
  const assets = await collectAssets(root, config.assets);
  const output = await OutputFolder.create();
  try {
    for (const { path, content } of code.files) await output.write(path, [content]);
    for (const [path, source] of assets) await output.write(path, createReadStream(source));
    const manifest = checkManifest({ files: output.files });
    return {
      manifest,
      digest: bundleDigest(manifest),
      folder: output.path,
      exports: code.exports,
      warnings: code.warnings,
      files: () => readFiles(output.path, manifest),
      [Symbol.asyncDispose]: () => output.remove(),
    };
  } catch (error) {
    await output.remove();
    throw error;
  }
}

async function refuseMissingEntry(root: string, entry: string): Promise<void> {
  try {
    const path = await realpath(join(root, entry));
    if (isInside(root, path) && (await stat(path)).isFile()) return;
  } catch (cause) {
    throw fail('ERR_BUILD_ENTRY_NOT_FOUND', [entry], { cause });
  }
  throw fail('ERR_BUILD_ENTRY_NOT_FOUND', [entry]);
}

async function* readFiles(
  folder: string,
  manifest: BundleManifest,
): AsyncGenerator<{ readonly path: string; readonly content: AsyncIterable<Uint8Array> }> {
  for (const { path } of manifest.files) yield { path, content: createReadStream(join(folder, path)) };
}
