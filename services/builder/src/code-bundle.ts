import { isBuiltin } from 'node:module';
import { relative } from 'node:path';
import { BUNDLE_CODE, BUNDLE_MAP, fail, type FunctionConfig } from '@hob/contracts';
import * as esbuild from 'esbuild';
import { assetLoaders } from './loaders.ts';
import { refuseNativeAddons } from './native-addons.ts';
import { withRequire } from './require-banner.ts';
import { report } from './report.ts';

/** How code asks whether it runs in production: packages leave out what only developers need. */
const NODE_ENV = ['process', 'env', 'NODE_ENV'].join('.');

/** The code of a function, bundled. */
export interface CodeBundle {
  /** index.mjs, its source map, and files that the code imports by address. */
  readonly files: readonly { readonly path: string; readonly content: Uint8Array }[];
  readonly exports: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Bundles an entry with everything that it imports but Node's own modules.
 *
 * Names are kept and lines too: what is saved by shortening them is not worth the stack traces (see the README).
 *
 * @param root the function's folder, absolute, without symbolic links in its path.
 * @throws ERR_BUILD_FAILED
 */
export async function bundleCode(root: string, config: FunctionConfig, colour: boolean): Promise<CodeBundle> {
  const result = await esbuild.build(optionsFor(root, config)).catch(async (failure: unknown) => {
    if (!isBuildFailure(failure)) throw failure;
    throw fail('ERR_BUILD_FAILED', [(await report(failure.errors, 'error', colour)).join('\n')], { cause: failure });
  });
  const files = new Map(result.outputFiles.map((file) => [relative(root, file.path), file.contents]));
  const output = result.metafile.outputs[BUNDLE_CODE];
  if (output === undefined) throw fail('ERR_BUILD_FAILED', [`esbuild made no ${BUNDLE_CODE}`]);
  refuseUnbundled(output);
  refuseNoHandler(output, config.entry);
  const code = withRequire({ code: textOf(files.get(BUNDLE_CODE)), map: textOf(files.get(BUNDLE_MAP)) });
  files.set(BUNDLE_CODE, Buffer.from(code.code)).set(BUNDLE_MAP, Buffer.from(code.map));
  return {
    files: [...files].map(([path, content]) => ({ path, content })),
    exports: output.exports,
    warnings: await report(result.warnings, 'warning', colour),
  };
}

function optionsFor(root: string, { entry, env }: FunctionConfig) {
  return {
    absWorkingDir: root,
    entryPoints: [{ in: `./${entry}`, out: BUNDLE_CODE.replace(/\.mjs$/, '') }],
    // Nothing is written: outputs are only named as if they were in the folder, so that no other path gets into them.
    outdir: root,
    write: false,
    allowOverwrite: true,
    outExtension: { '.js': '.mjs' },
    assetNames: 'assets/[name]-[hash]',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'linked',
    sourcesContent: true,
    metafile: true,
    logLevel: 'silent',
    loader: assetLoaders,
    define: {
      // Only where the code does not declare such a name itself, as ES modules often do.
      __dirname: 'import.meta.dirname',
      __filename: 'import.meta.filename',
      [NODE_ENV]: JSON.stringify(env['NODE_ENV'] ?? 'production'),
    },
    plugins: [refuseNativeAddons],
  } as const satisfies esbuild.BuildOptions;
}

/** In a container there is nothing to import but Node's own modules. What is required in a `try` may be missing. */
function refuseUnbundled(output: esbuild.Metafile['outputs'][string]): void {
  const missing = output.imports.filter(
    ({ external, kind, path }) => external === true && kind === 'import-statement' && !isBuiltin(path),
  );
  if (missing.length === 0) return;
  const names = missing.map(({ path }) => `"${path}"`).join(', ');
  throw fail('ERR_BUILD_FAILED', [`${names} cannot be bundled; only packages and files can be imported`]);
}

/** A CommonJS entry has a default export, of which only running it would tell more. */
function refuseNoHandler({ exports }: esbuild.Metafile['outputs'][string], entry: string): void {
  if (exports.includes('default') || exports.includes('handler')) return;
  const found = exports.length === 0 ? 'exports nothing' : `exports only ${exports.join(', ')}`;
  throw fail('ERR_BUILD_FAILED', [
    `${entry} ${found}; it must have "export default { fetch }", "export default (request, ctx) => Response" ` +
      'or "export const handler = async (event, context) => result"',
  ]);
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

function isBuildFailure(failure: unknown): failure is esbuild.BuildFailure {
  return failure instanceof Error && 'errors' in failure && Array.isArray(failure.errors);
}
